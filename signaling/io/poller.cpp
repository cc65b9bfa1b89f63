#include "signaling/io/poller.hpp"

#include <cerrno>
#include <system_error>

#include "protocol/base/ensure.hpp"
#include "signaling/io/prefetch.hpp"

namespace nat::signaling::io {

namespace {

int make_epoll() {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return descriptor;
}

// A batch of so few says that the loop is not busy: the outer loop's wait costs nobody anything.
constexpr int small_batch = 2;
// How many batches one turn of the outer loop may take before timers and other sockets get theirs.
constexpr int max_batches = 16;

constexpr std::size_t hot_part = 128;

}  // namespace

poller::poller(boost::asio::io_context& context, std::function<void()> before_batch,
               std::function<void()> after_batch)
    : epoll_(context, make_epoll()),
      before_batch_(std::move(before_batch)),
      after_batch_(std::move(after_batch)) {}

bool poller::add(int descriptor, std::uint32_t events, pollable& owner) {
  epoll_event e{.events = events, .data = {.ptr = &owner}};
  return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, descriptor, &e) == 0;
}

void poller::modify(int descriptor, std::uint32_t events, pollable& owner) {
  epoll_event e{.events = events, .data = {.ptr = &owner}};
  ensure(::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, descriptor, &e) == 0);
}

void poller::remove(int descriptor) {
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, descriptor, nullptr);
}

void poller::start() {
  wait();
}

void poller::wait() {
  epoll_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                    [this](boost::system::error_code stopped) {
                      if (stopped) return;
                      run();
                      wait();
                    });
}

void poller::run() {
  for (int batch = 0; batch < max_batches; ++batch) {
    const int n =
        ::epoll_wait(epoll_.native_handle(), ready_.data(), static_cast<int>(ready_.size()), 0);
    before_batch_();
    for (int i = 0; i < n; ++i) {
      if (const auto soon = static_cast<std::size_t>(i) + prefetched_ahead;
          soon < static_cast<std::size_t>(n)) {
        prefetch(ready_[soon].data.ptr, hot_part);
      }
      const auto& e = ready_[static_cast<std::size_t>(i)];
      static_cast<pollable*>(e.data.ptr)->handle_ready(e.events);
    }
    after_batch_();
    if (n <= small_batch) return;  // what is ready by then ends the outer wait at once
  }
}

}  // namespace nat::signaling::io
