#include "peer-cli/session/nat_question.hpp"

namespace nat::session {

datachannel::channel_options nat_channel() {
  datachannel::channel_options options;
  options.label = nat_label;
  options.ordered = false;
  return options;
}

nat_asker::nat_asker(link& over, time_point now)
    : channel_(over.open(nat_channel(), now)), deadline_(now + patience) {
  if (channel_) static_cast<void>(over.send(*channel_, as_bytes(nat_request), false, now));
}

void nat_asker::handle_message(const datachannel::message& message, const link& from) {
  if (this->over() || message.id != channel_) return;
  if (message.binary || message.data.size() > max_nat_answer_bytes) {
    return fail("bad-nat-answer", from, "answered what is no description of a NAT");
  }
  answer_ = as_text(message.data);
}

void nat_asker::handle_closed(datachannel::channel_id id, const link& from) {
  if (id == channel_) fail("no-answer", from, "is connected and does not tell its NAT");
}

void nat_asker::advance(const link& from, time_point now) {
  if (now >= deadline_) fail("no-answer", from, "is connected and does not tell its NAT");
}

void nat_asker::fail(const char* code, const link& from, const std::string& what) {
  if (over()) return;
  why_ = failure{exit_status::peer_absent, code,
                 "'" + from.remote_id() + "' " + what +
                     "; let it run `peer-cli listen` of this version, or use --with FILE"};
}

std::optional<time_point> nat_asker::next_timeout() const {
  return over() ? std::nullopt : std::optional(deadline_);
}

bool nat_answerer::takes(const datachannel::channel_opened& opened, link& over, time_point now) {
  if (opened.options.label != nat_label) return false;
  if (channel_ || asked_) {
    over.close_channel(opened.id, now);
  } else {
    channel_ = opened.id;
  }
  return true;
}

bool nat_answerer::handle_message(const datachannel::message& message, link& over, time_point now) {
  if (message.id != channel_) return false;
  if (asked_ || as_text(message.data) != nat_request) {
    over.close_channel(*channel_, now);
    channel_.reset();
    answered_ = asked_ = true;
  }
  asked_ = true;
  return true;
}

void nat_answerer::handle_closed(datachannel::channel_id id) {
  if (channel_ == id) channel_.reset();
}

void nat_answerer::answer(std::string_view lines, link& over, time_point now) {
  if (!asked()) return;
  answered_ = true;
  static_cast<void>(over.send(*channel_, as_bytes(lines), false, now));
}

}  // namespace nat::session
