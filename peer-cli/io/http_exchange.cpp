#include "peer-cli/io/http_exchange.hpp"

#include <array>
#include <chrono>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "ice/portmap/http.hpp"

namespace nat::peer_io {

namespace net = boost::asio;
using tcp = net::ip::tcp;
using error_code = boost::system::error_code;

namespace {

constexpr auto patience = std::chrono::seconds{3};

tcp::endpoint to_asio(const endpoint& from, unsigned interface) {
  if (from.ip.v4) {
    net::ip::address_v4::bytes_type octets;
    for (std::size_t i = 0; i < 4; ++i)
      octets[i] = std::to_integer<unsigned char>(from.ip.octets[i]);
    return {net::ip::address_v4(octets), from.port};
  }
  net::ip::address_v6::bytes_type octets;
  for (std::size_t i = 0; i < 16; ++i)
    octets[i] = std::to_integer<unsigned char>(from.ip.octets[i]);
  return {net::ip::address_v6(octets, is_link_local(from.ip) ? interface : 0), from.port};
}

}  // namespace

struct http_exchange::state : std::enable_shared_from_this<state> {
  state(net::any_io_executor executor, std::string text, result done)
      : socket(executor), timer(executor), request(std::move(text)), on_result(std::move(done)) {}

  void start(const tcp::endpoint& from, const tcp::endpoint& to) {
    timer.expires_after(patience);
    timer.async_wait([self = shared_from_this()](error_code stopped) {
      if (!stopped) self->finish(false);
    });
    error_code error;
    socket.open(to.protocol(), error);
    if (!error) socket.bind(from, error);
    if (error) {
      net::post(socket.get_executor(), [self = shared_from_this()] { self->finish(false); });
      return;
    }
    socket.async_connect(to, [self = shared_from_this()](error_code failed) {
      if (failed) return self->finish(false);
      self->send();
    });
  }

  void send() {
    net::async_write(socket, net::buffer(request),
                     [self = shared_from_this()](error_code failed, std::size_t) {
                       if (failed) return self->finish(false);
                       self->read();
                     });
  }

  void read() {
    socket.async_read_some(net::buffer(chunk),
                           [self = shared_from_this()](error_code ended, std::size_t size) {
                             self->received.append(self->chunk.data(), size);
                             const bool whole = portmap::http::is_complete(self->received);
                             if (ended || whole) return self->finish(!self->received.empty());
                             self->read();
                           });
  }

  void finish(bool good) {
    auto tell = std::exchange(on_result, nullptr);
    stop();
    if (!tell) return;
    tell(good ? std::optional<std::string_view>(received) : std::nullopt);
  }

  void stop() {
    error_code ignored;
    socket.close(ignored);
    timer.cancel();
  }

  tcp::socket socket;
  net::steady_timer timer;
  std::string request, received;
  std::array<char, 4096> chunk{};
  result on_result;
};

http_exchange::http_exchange(net::any_io_executor executor, const address& from, const endpoint& to,
                             unsigned interface, std::string request, result on_result)
    : state_(
          std::make_shared<state>(std::move(executor), std::move(request), std::move(on_result))) {
  state_->start(to_asio({from, 0}, interface), to_asio(to, interface));
}

http_exchange::~http_exchange() {
  state_->on_result = nullptr;
  state_->stop();
}

}  // namespace nat::peer_io
