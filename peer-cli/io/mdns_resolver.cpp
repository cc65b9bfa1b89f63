#include "peer-cli/io/mdns_resolver.hpp"

#include <array>
#include <utility>
#include <vector>

#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "ice/gather/mdns.hpp"
#include "peer-cli/io/interfaces.hpp"
#include "protocol/base/big_endian.hpp"

namespace nat::peer_io {

namespace net = boost::asio;
using udp = net::ip::udp;
using error_code = boost::system::error_code;

// One name: a query out of every IPv4 interface, repeated once; the first answer counts.
struct mdns_resolver::lookup : std::enable_shared_from_this<lookup> {
  lookup(const net::any_io_executor& e, std::string wanted, std::function<void(std::optional<address>)> result,
         std::weak_ptr<int> owner)
      : executor(e), timer(e), name(std::move(wanted)), on_result(std::move(result)), alive(std::move(owner)) {}

  void start() {
    for (const auto& ip : host_addresses()) {
      if (ip.v4) open(ip);
    }
    ask(2);
  }

  void open(const address& ip) {
    const auto from = net::ip::address_v4(load_be<std::uint32_t>(ip.octets));
    error_code error;
    udp::socket socket(executor);
    socket.open(udp::v4(), error);
    if (!error) socket.bind({from, 0}, error);
    if (!error) socket.set_option(net::ip::multicast::outbound_interface(from), error);
    if (error) return;  // an interface that can't do multicast has no neighbours to ask
    sockets.push_back(std::make_unique<listener>(std::move(socket)));
    receive(*sockets.back());
  }

  void ask(int rounds) {
    const auto query = ice::make_mdns_query(name);
    const udp::endpoint group(net::ip::make_address_v4("224.0.0.251"), 5353);
    for (auto& one : sockets) {
      error_code lost;
      one->socket.send_to(net::buffer(query), group, 0, lost);
    }
    timer.expires_after(std::chrono::milliseconds{500});
    timer.async_wait([self = shared_from_this(), rounds](error_code error) {
      if (error) return;
      rounds > 1 ? self->ask(rounds - 1) : self->finish(std::nullopt);
    });
  }

  struct listener {
    explicit listener(udp::socket s) : socket(std::move(s)) {}
    udp::socket socket;
    udp::endpoint from;
    std::array<std::byte, 1500> buffer{};
  };

  void receive(listener& one) {
    one.socket.async_receive_from(net::buffer(one.buffer), one.from,
                                  [self = shared_from_this(), &one](error_code error, std::size_t size) {
                                    if (error) return;
                                    const auto found =
                                        ice::parse_mdns_answer(byte_view(one.buffer).first(size), self->name);
                                    found ? self->finish(*found) : self->receive(one);
                                  });
  }

  void finish(std::optional<address> found) {
    timer.cancel();
    for (auto& one : sockets) one->socket.close();
    if (auto result = std::exchange(on_result, nullptr); result && !alive.expired()) result(found);
  }

  net::any_io_executor executor;
  net::steady_timer timer;
  std::string name;
  std::function<void(std::optional<address>)> on_result;
  std::weak_ptr<int> alive;
  std::vector<std::unique_ptr<listener>> sockets;
};

mdns_resolver::mdns_resolver(net::any_io_executor executor) : executor_(std::move(executor)) {}
mdns_resolver::~mdns_resolver() = default;

void mdns_resolver::resolve(const std::string& name, std::function<void(std::optional<address>)> on_result) {
  std::make_shared<lookup>(executor_, name, std::move(on_result), alive_)->start();
}

}  // namespace nat::peer_io
