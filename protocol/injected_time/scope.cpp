#include "protocol/injected_time/scope.hpp"

#include <sys/time.h>
#include <time.h>

namespace nat::injected_time {
namespace {

constexpr std::int64_t none = INT64_MIN;
// OpenSSL takes a time of zero for "no timer": steady clocks that start at zero are moved away.
constexpr std::int64_t epoch_microseconds = 1'000'000'000'000'000;

thread_local std::int64_t current = none;

}  // namespace

scope::scope(time_point now) noexcept : previous_(current) {
  current = epoch_microseconds +
            std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
}

scope::~scope() {
  current = previous_;
}

}  // namespace nat::injected_time

extern "C" int gettimeofday(timeval* out, void*) noexcept {
  using nat::injected_time::current;
  if (current != nat::injected_time::none) {
    out->tv_sec = static_cast<time_t>(current / 1'000'000);
    out->tv_usec = static_cast<suseconds_t>(current % 1'000'000);
    return 0;
  }
  timespec system{};
  const int result = clock_gettime(CLOCK_REALTIME, &system);
  out->tv_sec = system.tv_sec;
  out->tv_usec = static_cast<suseconds_t>(system.tv_nsec / 1000);
  return result;
}
