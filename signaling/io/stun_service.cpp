#include "signaling/io/stun_service.hpp"

#include <array>

#include <boost/asio/ip/udp.hpp>

#include "signaling/io/sockets.hpp"
#include "stun/server.hpp"

namespace nat::signaling::io {

namespace net = boost::asio;

struct stun_service::state {
  explicit state(net::io_context& context) : socket(context) {}
  void receive() {
    socket.async_receive_from(net::buffer(in), from,
                              [this](boost::system::error_code wrong, std::size_t n) {
                                if (wrong == net::error::operation_aborted) return;
                                if (!wrong) answer(byte_view(in).first(n));
                                receive();
                              });
  }
  void answer(byte_view request) {
    ++counted.requests;
    sockaddr_storage raw{};
    std::memcpy(&raw, from.data(), from.size());
    std::array<std::byte, stun::max_binding_answer> out;
    const auto text = stun::answer(request, from_sockaddr(raw), out);
    if (!text) return;
    boost::system::error_code lost;
    socket.send_to(net::buffer(text->data(), text->size()), from, 0, lost);
    ++counted.answers;
  }
  net::ip::udp::socket socket;
  net::ip::udp::endpoint from;
  std::array<std::byte, 1500> in;
  counters counted;
};

stun_service::stun_service(net::io_context& context, const endpoint& local)
    : state_(std::make_unique<state>(context)) {
  auto socket = bind_udp(local);
  state_->socket.assign(local.ip.v4 ? net::ip::udp::v4() : net::ip::udp::v6(), socket.release());
}

stun_service::~stun_service() = default;
endpoint stun_service::local() const {
  return local_endpoint(const_cast<net::ip::udp::socket&>(state_->socket).native_handle());
}
void stun_service::start() {
  state_->receive();
}
void stun_service::close() {
  boost::system::error_code ignored;
  state_->socket.close(ignored);
}
stun_service::counters stun_service::stats() const {
  return state_->counted;
}

}  // namespace nat::signaling::io
