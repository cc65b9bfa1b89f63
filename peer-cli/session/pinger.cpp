#include "peer-cli/session/pinger.hpp"

#include <utility>

#include "protocol/base/big_endian.hpp"

namespace nat::session {
namespace {

constexpr std::string_view tag = "ping";

}  // namespace

datachannel::channel_options ping_channel() {
  datachannel::channel_options options;
  options.label = ping_label;
  options.ordered = false;
  options.max_retransmits = 0;
  return options;
}

bytes write(const ping_message& m) {
  auto out = to_bytes(as_bytes(tag));
  out.resize(ping_message::size);
  store_be(out, tag.size(), m.run);
  store_be(out, tag.size() + sizeof m.run, m.number);
  return out;
}

std::optional<ping_message> read_ping(byte_view from) {
  if (from.size() != ping_message::size || as_text(from.first(tag.size())) != tag) {
    return std::nullopt;
  }
  return ping_message{load_be<std::uint64_t>(from, tag.size()),
                      load_be<std::uint64_t>(from, tag.size() + sizeof(std::uint64_t))};
}

pinger::pinger(ping_config config, datachannel::channel_id channel, std::uint64_t run,
               time_point now)
    : config_(config), channel_(channel), run_(run), next_(now) {}

void pinger::handle_message(const datachannel::message& message, const link& over, time_point now) {
  const auto answer = message.id == channel_ ? read_ping(message.data) : std::nullopt;
  if (!answer || answer->run != run_) return;
  const auto asked = in_flight_.find(answer->number);
  if (asked == in_flight_.end()) return;  // too late, twice, or never asked
  auto [sent, way] = std::move(asked->second);
  in_flight_.erase(asked);
  if (const auto& back = over.heard(); back && (!way || !is_relayed(*way))) way = back;
  ++tally_.answered;
  ++(way && is_relayed(*way) ? tally_.relayed : tally_.direct);
  tally_.times.add(now - sent);
  results_.push_back({answer->number, now - sent, std::move(way)});
}

void pinger::advance(link& over, time_point now) {
  while (!in_flight_.empty() && now - in_flight_.begin()->second.sent >= config_.patience) {
    lose_oldest();
  }
  if (!all_asked() && now >= next_) ask(over, now);
}

void pinger::ask(link& over, time_point now) {
  next_ += config_.interval;
  if (next_ <= now) next_ = now + config_.interval;  // what a stall has kept is not made up for
  const auto number = tally_.sent + 1;
  if (!over.send(channel_, write(ping_message{run_, number}), true, now)) return;
  tally_.sent = number;
  if (in_flight_.size() >= config_.max_in_flight) lose_oldest();
  in_flight_.emplace(number, question{now, over.current()});
}

void pinger::lose_oldest() {
  auto oldest = in_flight_.extract(in_flight_.begin());
  ++tally_.lost;
  results_.push_back({oldest.key(), std::nullopt, std::move(oldest.mapped().way)});
}

void pinger::stop() {
  stopped_ = true;
  while (!in_flight_.empty()) lose_oldest();
}

bool pinger::all_asked() const {
  return stopped_ || (config_.count && tally_.sent >= *config_.count);
}

bool pinger::finished() const {
  return all_asked() && in_flight_.empty();
}

std::optional<round_trip> pinger::poll_result() {
  if (results_.empty()) return std::nullopt;
  auto result = std::move(results_.front());
  results_.pop_front();
  return result;
}

std::optional<time_point> pinger::next_timeout() const {
  std::optional<time_point> next;
  if (!all_asked()) next = next_;
  if (!in_flight_.empty()) next = earlier(next, in_flight_.begin()->second.sent + config_.patience);
  return next;
}

}  // namespace nat::session
