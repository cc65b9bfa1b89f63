#include "peer-cli/session/bench_flow.hpp"

#include <algorithm>

namespace nat::session {

bench_flow::bench_flow(rules r, datachannel::channel_id channel, const link& over,
                       const bench_clock& start)
    : rules_(r), channel_(channel), start_(start), until_(start.now + r.length) {
  const auto size = std::min<std::size_t>(block, over.max_message_size());
  if (r.sends) block_ = write(bench_data{size - 1});
}

void bench_flow::advance(link& over, time_point now) {
  time_over_ = time_over_ || now >= until_;
  if (!rules_.sends) return;
  if (!time_over_) {
    while (has_room(over, now) && over.send(channel_, block_, true, now)) {
      seen_.sent += block_.size() - 1;
    }
    return;
  }
  if (!end_sent_) end_sent_ = over.send(channel_, write(bench_end{}), true, now);
  if (end_sent_ && !all_taken_ && over.buffered(channel_) == 0) all_taken_ = now;
}

bool bench_flow::has_room(const link& over, time_point now) const {
  const auto waiting = over.buffered(channel_);
  if (waiting <= least_ahead) return true;
  const auto seconds = std::chrono::duration<double>(now - start_.now).count();
  return static_cast<double>(waiting) * seconds < static_cast<double>(delivered(over));
}

std::uint64_t bench_flow::delivered(const link& over) const {
  return seen_.sent - std::min<std::uint64_t>(seen_.sent, over.buffered(channel_));
}

bool bench_flow::handle_data(std::size_t size, time_point now) {
  if (!rules_.expects || ended_) return false;
  if (!first_) first_ = now;
  seen_.received += size;
  return true;
}

bool bench_flow::handle_end(time_point now) {
  if (!rules_.expects || ended_) return false;
  ended_ = now;
  return true;
}

void bench_flow::stop_sending(time_point now) {
  until_ = std::min(until_, now);
}

bool bench_flow::complete() const {
  return (!rules_.sends || all_taken_) && (!rules_.expects || ended_);
}

bench_view bench_flow::view(const link& over, const bench_clock& clock) const {
  auto out = seen_;
  if (rules_.sends && !all_taken_) out.sent = delivered(over);
  if (rules_.sends) out.sending = all_taken_.value_or(clock.now) - start_.now;
  if (first_) out.receiving = ended_.value_or(clock.now) - *first_;
  out.cpu = clock.cpu - start_.cpu;
  return out;
}

std::optional<time_point> bench_flow::next_timeout() const {
  return time_over_ ? std::nullopt : std::optional(until_);
}

}  // namespace nat::session
