#pragma once

// What either end of a bench does while it runs: sends blocks for a while, says when that was all,
// and counts what comes. Never holds more than about a second of the line in buffers, so that the
// end of the data, and the report behind it, come soon after the time is over.

#include <cstdint>
#include <optional>

#include "peer-cli/session/bench_message.hpp"
#include "peer-cli/session/link.hpp"

namespace nat::session {

// Both clocks of an end: the world's, and what the process has used of the processor.
struct bench_clock {
  time_point now;
  duration cpu;
};

class bench_flow {
 public:
  static constexpr std::size_t block = 65'536;         // octets of a message, at most
  static constexpr std::size_t least_ahead = 131'072;  // in buffers, before a rate is known

  struct rules {
    bool sends, expects;
    duration length;
  };
  bench_flow(rules, datachannel::channel_id, const link&, const bench_clock& start);

  void advance(link&, time_point now);
  // False: the other end may not send that.
  [[nodiscard]] bool handle_data(std::size_t size, time_point now);
  [[nodiscard]] bool handle_end(time_point now);
  void handle_path_change() { ++seen_.path_changes; }
  void stop_sending(time_point now);

  // What is sent has arrived, and what was expected has come to its end.
  [[nodiscard]] bool complete() const;
  // As far as it has come.
  [[nodiscard]] bench_view view(const link&, const bench_clock&) const;
  // What has arrived at the other end.
  [[nodiscard]] std::uint64_t delivered(const link&) const;
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  [[nodiscard]] bool has_room(const link&, time_point now) const;

  rules rules_;
  datachannel::channel_id channel_;
  bench_clock start_;
  time_point until_;
  bytes block_;
  bool time_over_ = false, end_sent_ = false;
  std::optional<time_point> all_taken_, first_, ended_;
  bench_view seen_;
};

}  // namespace nat::session
