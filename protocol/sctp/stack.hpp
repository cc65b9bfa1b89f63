#pragma once

// usrsctp is one stack for a whole process, with one clock and one pair of callbacks. This is that
// stack: it gives each association an address of its own, hands what comes out to its owner, and
// moves the clock by the time that callers pass in. Internal to protocol/sctp.
//
// Limits: all associations alive at one time live on one thread and in one time line (an
// association that sees time go back, beside another that doesn't, runs its timers late). While
// none is alive the time line may change freely, as it does between tests.

#include <cstdint>
#include <unordered_map>

#include "protocol/base/bytes.hpp"
#include "protocol/base/time.hpp"
#include "protocol/injected_time/scope.hpp"

namespace nat::sctp {

// What the stack tells an association's owner.
class port {
 public:
  virtual void output(byte_view packet) = 0;  // checksum not filled in
  virtual void wake() = 0;                    // something to read, or room to write

 protected:
  ~port() = default;
};

class stack {
 public:
  static stack& instance();

  // An address that stands for `owner` in usrsctp's world until leave().
  void* enter(port& owner, time_point now);
  void leave(void* address);
  [[nodiscard]] port* find(void* address) const;

  // Runs the timers of all associations that are due at `now`.
  void advance(time_point now);
  // The stack's own time: never goes back, whatever callers pass in.
  [[nodiscard]] time_point time() const { return time_point(elapsed_); }

 private:
  stack();

  std::unordered_map<void*, port*> ports_;
  std::uintptr_t next_address_ = 1;
  time_point last_;
  duration elapsed_{}, ticked_{};
};

// Every call into usrsctp is made inside one of these.
class stack_call {
 public:
  explicit stack_call(time_point now)
      : stack_((stack::instance().advance(now), stack::instance())), scope_(stack_.time()) {}

 private:
  stack& stack_;
  injected_time::scope scope_;
};

}  // namespace nat::sctp
