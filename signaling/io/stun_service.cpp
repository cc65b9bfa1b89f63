#include "signaling/io/stun_service.hpp"

#include <algorithm>
#include <array>

#include "stun/server.hpp"

namespace nat::signaling::io {

stun_service::stun_service(boost::asio::any_io_executor executor, const endpoint& local)
    : socket_(std::move(executor), local, {.reuse_port = true}) {}

void stun_service::start() {
  socket_.start([this](const auto& datagrams) { take(datagrams); }, [this] { socket_.flush(); },
                [](const endpoint&, int) {});
}

void stun_service::take(const stun::io::udp_socket::received& datagrams) {
  auto rest = datagrams.data;
  while (!rest.empty()) {
    const auto size = std::min(std::max<std::size_t>(datagrams.segment_size, 1), rest.size());
    std::array<std::byte, stun::max_binding_answer> out;
    ++counted_.requests;
    if (const auto reply = stun::answer(rest.first(size), datagrams.from, out)) {
      socket_.send(datagrams.from, *reply, 0, {}, datagrams.destination);
      ++counted_.answers;
    }
    rest = rest.subspan(size);
  }
}

}  // namespace nat::signaling::io
