#include "tests/bench/load/turn_flow.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <stdexcept>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"
#include "stun/turn/rest_credentials.hpp"

namespace nat::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t at_once = 32;

// The address that is `n` behind `first`.
address plus(address first, std::size_t n) {
  const std::size_t offset = first.v4 ? 0 : 12;
  const auto low = load_be<std::uint32_t>(first.octets, offset);
  store_be(byte_span(first.octets), offset, low + static_cast<std::uint32_t>(n));
  return first;
}

udp client_socket(const turn_target& target, std::size_t n, int buffer) {
  udp socket({plus(target.client, n / target.per_address), 0}, buffer);
  socket.connect(target.server);
  return socket;
}

turn::client_config configure(const turn_target& target, std::size_t n, const udp& socket) {
  const auto name = "load-" + std::to_string(n / target.per_name);
  const auto login =
      turn::mint_rest_credentials(target.secret, name, std::time(nullptr) + 24 * 3600);
  turn::client_config config;
  config.server = {transport::udp, socket.local(), target.server};
  config.username = login.username;
  config.password = login.password;
  config.wanted = target.peer.v4 ? turn::families::v4 : turn::families::v6;
  return config;
}

}  // namespace

turn_flow::turn_flow(const turn_target& target, std::size_t n, const udp& peer,
                     random_source& random, int buffer)
    : client_(client_socket(target, n, buffer)),
      peer_(&peer),
      peer_at_(peer.local()),
      via_{transport::udp, client_.local(), target.server},
      turn_(configure(target, n, client_), random, clock::now()) {
  turn_.bind_channel(peer_at_, clock::now());
  pump();
}

void turn_flow::pump() {
  while (const auto e = turn_.poll_event()) {
    if (const auto* no = std::get_if<turn::refused>(&*e))
      throw std::runtime_error("the server refuses an allocation: " + no->reason);
    if (const auto* no = std::get_if<turn::permission_refused>(&*e))
      throw std::runtime_error("the server refuses the peer: " + no->reason);
    if (std::holds_alternative<turn::alternate>(*e))
      throw std::runtime_error("the server sends us elsewhere");
  }
  batch out;
  while (const auto t = turn_.poll_transmit()) {
    std::ranges::copy(t->data, out.add(t->data.size()).begin());
    out.send(client_);
  }
}

void turn_flow::receive(batch& in, time_point now) {
  in.receive(client_);
  for (std::size_t i = 0; i < in.size(); ++i) (void)turn_.handle_datagram(via_, in[i], now);
  pump();
}

void turn_flow::handle_timeout(time_point now) {
  if (const auto at = turn_.next_timeout(); !at || *at > now) return;
  turn_.handle_timeout(now);
  pump();
}

void turn_flow::release(time_point now) {
  turn_.release(now);
  pump();
}

std::uint16_t turn_flow::channel(time_point now) {
  constexpr std::array<std::byte, 1> some{};
  std::array<std::byte, 64> room;
  const auto message = turn_.wrap(peer_at_, byte_view(some), room, now);
  ensure(message.has_value() && ready());
  return load_be<std::uint16_t>(*message);
}

void establish(std::deque<turn_flow>& flows, std::size_t count, const turn_target& target,
               const std::function<const udp&(std::size_t)>& peer_of, random_source& random,
               int buffer) {
  readiness ready;
  batch in;
  auto first = flows.size();  // all before it are ready
  const auto end = clock::now() + std::chrono::seconds{60};
  while (first < count) {
    while (flows.size() < std::min(count, first + at_once)) {
      const auto n = flows.size();
      ready.add(flows.emplace_back(target, n, peer_of(n), random, buffer).client(), n);
    }
    ready.wait(20, [&](std::uint64_t n) { flows[n].receive(in, clock::now()); });
    for (auto n = first; n < flows.size(); ++n) flows[n].handle_timeout(clock::now());
    while (first < flows.size() && flows[first].ready()) ++first;
    if (clock::now() > end) throw std::runtime_error("allocations take more than a minute");
  }
}

void release(std::deque<turn_flow>& flows) {
  for (auto& flow : flows) flow.release(clock::now());
}

}  // namespace nat::bench
