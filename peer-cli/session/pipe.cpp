#include "peer-cli/session/pipe.hpp"

#include <utility>

#include "protocol/base/ensure.hpp"

namespace nat::session {

void pipe::input(bytes data, link& over, time_point now) {
  ensure(!pending_ && data.size() <= chunk);
  if (data.empty() || closed_) return;
  sent_ += data.size();
  pending_ = std::move(data);
  flush(over, now);
}

void pipe::end_input(link& over, time_point now) {
  input_ended_ = true;
  flush(over, now);
}

void pipe::flush(link& over, time_point now) {
  if (closed_) return;
  if (pending_) {
    blocked_ = !over.send(id_, *pending_, true, now);
    if (blocked_) return;
    pending_.reset();
  }
  if (input_ended_ && !end_sent_) {
    end_sent_ = over.send(id_, {}, true, now);
    blocked_ = !end_sent_;
  }
}

void pipe::handle_writable(link& over, time_point now) {
  blocked_ = false;
  flush(over, now);
}

void pipe::received(datachannel::message&& message, link* over, time_point now) {
  if (abandoned_ || remote_ended_) return;
  if (message.data.empty()) {
    remote_ended_ = true;
    return;
  }
  received_ += message.data.size();
  output_size_ += message.data.size();
  output_.push_back(std::move(message.data));
  if (over != nullptr && output_size_ > output_limit && !paused_) {
    paused_ = true;
    over->pause(now);
  }
}

void pipe::written(link* over, time_point now) {
  output_size_ -= output_.front().size();
  output_.pop_front();
  if (paused_ && output_size_ < output_limit / 2) {
    paused_ = false;
    if (over != nullptr) over->resume(now);
  }
}

void pipe::abandon(link& over, time_point now) {
  abandoned_ = closed_ = true;
  output_.clear();
  output_size_ = 0;
  over.close_channel(id_, now);
  if (std::exchange(paused_, false)) over.resume(now);
}

bool pipe::finished(const link& over) const {
  if (!output_.empty()) return false;
  if (closed_) return true;
  return remote_ended_ && end_sent_ && over.buffered(id_) == 0;
}

}  // namespace nat::session
