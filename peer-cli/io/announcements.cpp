#include "peer-cli/io/announcements.hpp"

#include <utility>

#include <boost/asio/ip/v6_only.hpp>

#include "ice/portmap/pcp.hpp"
#include "stun/io/sockaddr.hpp"

namespace nat::peer_io {

namespace net = boost::asio;
using udp = net::ip::udp;
using error_code = boost::system::error_code;

announcements::announcements(net::any_io_executor executor, heard on_heard)
    : on_heard_(std::move(on_heard)) {
  open(executor, true);
  open(executor, false);
}

// Shared with every other client on this host. Both groups are those that each host is in.
void announcements::open(const net::any_io_executor& executor, bool v4) {
  error_code error;
  udp::socket socket(executor);
  socket.open(v4 ? udp::v4() : udp::v6(), error);
  if (!error && !v4) socket.set_option(net::ip::v6_only(true), error);
  if (!error) socket.set_option(net::socket_base::reuse_address(true), error);
  if (!error) socket.bind({v4 ? udp::v4() : udp::v6(), portmap::client_port}, error);
  if (error) return;
  listen(ears_.emplace_back(ear{.socket = std::move(socket)}));
}

void announcements::listen(ear& at) {
  at.socket.async_receive_from(
      net::buffer(at.data), at.from, [this, &at](error_code error, std::size_t size) {
        if (error == net::error::operation_aborted) return;
        if (!error) {
          on_heard_(stun::io::from_socket_address(*at.from.data()), byte_view(at.data).first(size));
        }
        listen(at);
      });
}

}  // namespace nat::peer_io
