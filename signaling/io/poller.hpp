#pragma once

// Readiness of many sockets on one event loop: an epoll of our own inside Asio's. Asio waits for
// this one descriptor; what is ready is then taken in batches, so that a batch's messages for one
// client leave in one write. A socket costs no handler and no allocation while it is idle, which is
// what lets 100,000 of them wait in little memory.

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace nat::signaling::io {

class pollable {
 public:
  virtual ~pollable() = default;
  virtual void handle_ready(std::uint32_t events) = 0;  // EPOLLIN and so on
};

class poller {
 public:
  // `before_batch` runs before each batch, the moment to look at the clock; `after_batch` after it,
  // the moment to write and to destroy what has ended. No pollable may be destroyed within a batch.
  poller(boost::asio::io_context&, std::function<void()> before_batch,
         std::function<void()> after_batch);

  // False: the system watches as many descriptors as it may.
  [[nodiscard]] bool add(int descriptor, std::uint32_t events, pollable&);
  void modify(int descriptor, std::uint32_t events, pollable&);
  void remove(int descriptor);
  void start();

 private:
  void wait();
  void run();

  boost::asio::posix::stream_descriptor epoll_;
  std::function<void()> before_batch_, after_batch_;
  std::array<epoll_event, 256> ready_{};
};

}  // namespace nat::signaling::io
