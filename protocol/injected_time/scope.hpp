#pragma once

// OpenSSL's DTLS timers and usrsctp's round-trip measurements read the clock themselves, through
// gettimeofday(), and offer no way to be told the time. This library defines that function for the
// program: inside a scope it answers the time that the caller passed in, outside of one the
// system's. So both libraries live in the caller's time, virtual or real, and spare a clock call
// per packet.

#include "protocol/base/time.hpp"

namespace nat::injected_time {

// While one is alive, its thread's gettimeofday() answers `now`. Scopes nest.
class scope {
 public:
  explicit scope(time_point now) noexcept;
  ~scope();
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

 private:
  std::int64_t previous_;
};

}  // namespace nat::injected_time
