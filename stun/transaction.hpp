#pragma once

// Retransmission of one request, RFC 8489, 6.2.1, with the timeout measured where it can be.

#include <cstdint>
#include <optional>

#include "protocol/base/time.hpp"

namespace nat::stun {

struct retransmission {
  duration initial_rto = std::chrono::milliseconds{500};       // RFC 8489, 6.2.1; RFC 8445, 14.3
  unsigned max_sends = 7;                                      // Rc
  unsigned final_wait = 16;                                    // Rm, in initial RTOs
  bool reliable = false;                                       // TCP, TLS: sent once, waits Ti
  duration reliable_wait = std::chrono::milliseconds{39'500};  // Ti
};

// The deadlines of one request that was first sent at `start`. The owner sends.
class retransmit_timer {
 public:
  retransmit_timer(const retransmission&, time_point start);

  enum class action : std::uint8_t { wait, resend, give_up };
  // What is due at `now`; advances at most one step a call.
  [[nodiscard]] action poll(time_point now);
  [[nodiscard]] time_point next() const { return next_; }
  [[nodiscard]] unsigned sends() const { return sends_; }

 private:
  void schedule(time_point now);
  retransmission rules_;
  time_point next_;
  duration rto_;
  unsigned sends_ = 1;
};

// Smoothed round trip and its variation, RFC 6298; answers to retransmitted requests don't count
// (Karn), unless the caller can tell which one was answered.
class round_trip_estimate {
 public:
  void add(duration sample);
  [[nodiscard]] std::optional<duration> smoothed() const { return smoothed_; }
  // Never below `floor`; `fallback` without a sample.
  [[nodiscard]] duration rto(duration fallback, duration floor) const;

 private:
  std::optional<duration> smoothed_;
  duration variation_{};
};

}  // namespace nat::stun
