#pragma once

// Hears what routers announce to all hosts when they have restarted or their address has changed
// (RFC 6887, 14.1; RFC 6886, 3.2.1): UDP port 5350, 224.0.0.1 and ff02::1, or this host alone.

#include <array>
#include <functional>
#include <list>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::peer_io {

class announcements {
 public:
  using heard = std::function<void(const endpoint& from, byte_view)>;
  // Where the port can't be had, nothing is heard; renewals then find out.
  announcements(boost::asio::any_io_executor, heard);

 private:
  struct ear {
    boost::asio::ip::udp::socket socket;
    boost::asio::ip::udp::endpoint from{};
    std::array<std::byte, 1100> data{};  // PCP's largest
  };
  void open(const boost::asio::any_io_executor&, bool v4);
  void listen(ear&);

  heard on_heard_;
  std::list<ear> ears_;
};

}  // namespace nat::peer_io
