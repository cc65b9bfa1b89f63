#include "peer-cli/io/interface_monitor.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace nat::peer_io {

namespace net = boost::asio;

interface_monitor::interface_monitor(net::any_io_executor executor, std::function<void()> on_change)
    : socket_(std::move(executor)), on_change_(std::move(on_change)) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return;
  sockaddr_nl here{};
  here.nl_family = AF_NETLINK;
  here.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&here), sizeof here) != 0) {
    ::close(fd);
    return;
  }
  socket_.assign(fd);
  wait();
}

void interface_monitor::wait() {
  socket_.async_wait(
      net::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
        if (error) return;
        std::array<char, 8192> ignored{};  // what changed is read from the system, not from here
        while (::recv(socket_.native_handle(), ignored.data(), ignored.size(), 0) > 0) {
        }
        wait();
        on_change_();
      });
}

}  // namespace nat::peer_io
