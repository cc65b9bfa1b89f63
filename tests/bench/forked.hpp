#pragma once

// A child of a benchmark that works beside it and hands back a value.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <type_traits>

#include "protocol/base/ensure.hpp"

namespace nat::bench {

template <class Result>
class forked {
  static_assert(std::is_trivially_copyable_v<Result>);

 public:
  // Starts the work. It shares no memory with who started it but what was mapped for that.
  template <class Work>
  explicit forked(Work work) {
    int ends[2];
    ensure(::pipe(ends) == 0);
    process_ = ::fork();
    ensure(process_ >= 0);
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      const Result out = work();
      ::_exit(::write(ends[1], &out, sizeof out) == sizeof out ? 0 : 1);
    }
    ::close(ends[1]);
    result_ = ends[0];
  }
  ~forked() {
    ::close(result_);
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  forked(const forked&) = delete;
  forked& operator=(const forked&) = delete;

  [[nodiscard]] pid_t process() const { return process_; }
  // Waits for the end; once.
  [[nodiscard]] Result result() {
    Result out{};
    ensure(::read(result_, &out, sizeof out) == sizeof out);
    int status = 0;
    ensure(::waitpid(process_, &status, 0) == process_ && status == 0);
    process_ = -1;
    return out;
  }

 private:
  pid_t process_ = -1;
  int result_ = -1;
};

}  // namespace nat::bench
