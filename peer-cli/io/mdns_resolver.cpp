#include "peer-cli/io/mdns_resolver.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <utility>
#include <vector>

#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "ice/gather/mdns_resolver.hpp"
#include "peer-cli/io/interfaces.hpp"
#include "protocol/base/big_endian.hpp"

namespace nat::peer_io {

namespace net = boost::asio;
using udp = net::ip::udp;
using error_code = boost::system::error_code;
using clock = std::chrono::steady_clock;

namespace {

net::ip::address_v4 to_asio(const address& v4) {
  return net::ip::address_v4(load_be<std::uint32_t>(v4.octets));
}

endpoint from_asio(const udp::endpoint& from) {
  return {make_v4(from.address().to_v4().to_uint()), from.port()};
}

}  // namespace

struct mdns_resolver::state : std::enable_shared_from_this<state> {
  state(net::any_io_executor e, result r)
      : executor(std::move(e)), timer(executor), on_result(std::move(r)) {}

  struct interface {
    explicit interface(udp::socket s) : socket(std::move(s)) {}
    udp::socket socket;
    udp::endpoint from;
    std::array<std::byte, 1500> buffer{};
  };

  void open_all() {
    if (!std::exchange(opened, true)) {
      for (const auto& ip : host_addresses()) {
        if (ip.v4) open(to_asio(ip));
      }
    }
  }

  // Shares the port with whatever else answers mDNS on this host; without it, legacy answers still
  // come.
  void open(const net::ip::address_v4& on) {
    const auto group = to_asio(ice::mdns::group_v4().ip);
    error_code error, lesser;
    udp::socket socket(executor);
    socket.open(udp::v4(), error);
    if (error) return;
    const int yes = 1, no = 0;
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_MULTICAST_ALL, &no, sizeof no);
    socket.bind({net::ip::address_v4::any(), ice::mdns::port}, lesser);
    if (lesser) socket.bind({on, 0}, error);
    if (!error) socket.set_option(net::ip::multicast::join_group(group, on), error);
    if (!error) socket.set_option(net::ip::multicast::outbound_interface(on), error);
    if (error) return;  // an interface that can't do multicast has no neighbours to ask
    interfaces.push_back(std::make_unique<interface>(std::move(socket)));
    receive(*interfaces.back());
  }

  void receive(interface& in) {
    in.socket.async_receive_from(
        net::buffer(in.buffer), in.from,
        [self = shared_from_this(), &in](error_code error, std::size_t size) {
          if (error == net::error::operation_aborted || self->closed) return;
          if (!error) {
            self->resolver.handle_datagram(from_asio(in.from), byte_view(in.buffer).first(size));
            self->pump();
          }
          if (!self->closed) self->receive(in);
        });
  }

  void pump() {
    const udp::endpoint group(to_asio(ice::mdns::group_v4().ip), ice::mdns::port);
    while (const auto query = resolver.poll_transmit()) {
      for (auto& one : interfaces) {
        error_code lost;  // asked again in a second
        one->socket.send_to(net::buffer(*query), group, 0, lost);
      }
    }
    while (auto event = resolver.poll_event()) {
      if (!closed) on_result(event->name, event->address);
    }
    const auto next = resolver.next_timeout();
    if (!next || closed) return;
    timer.expires_at(*next);
    timer.async_wait([self = shared_from_this()](error_code error) {
      if (error || self->closed) return;
      self->resolver.handle_timeout(clock::now());
      self->pump();
    });
  }

  net::any_io_executor executor;
  net::steady_timer timer;
  result on_result;
  ice::mdns::resolver resolver;
  std::vector<std::unique_ptr<interface>> interfaces;
  bool opened = false, closed = false;
};

mdns_resolver::mdns_resolver(net::any_io_executor executor, result on_result)
    : state_(std::make_shared<state>(std::move(executor), std::move(on_result))) {}

mdns_resolver::~mdns_resolver() {
  state_->closed = true;
  state_->timer.cancel();
  for (auto& one : state_->interfaces) {
    error_code ignored;
    one->socket.close(ignored);
  }
}

void mdns_resolver::ask(const std::string& name) {
  state_->open_all();
  if (!state_->resolver.ask(name, clock::now())) return state_->on_result(name, std::nullopt);
  state_->pump();
}

}  // namespace nat::peer_io
