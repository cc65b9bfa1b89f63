#pragma once

// A TURN server with a driver that opens whatever it asks for, and the means to speak to it.

#include <functional>
#include <map>
#include <set>
#include <string>

#include "stun/credentials.hpp"
#include "stun/message.hpp"
#include "stun/turn/rest_credentials.hpp"
#include "stun/turn/server.hpp"
#include "tests/check.hpp"

namespace nat::test {

using namespace std::chrono_literals;
namespace attr = stun::attr;
using stun::method;

inline const endpoint server_v4 = *parse_endpoint("198.51.100.1:3478");
inline const endpoint peer_v4 = *parse_endpoint("192.0.2.77:7000");
inline const endpoint peer_v6 = *parse_endpoint("[2001:db8:77::1]:7000");

struct answer {
  bytes wire;
  bool success = false;
  int code = 0;
  [[nodiscard]] stun::message_view view() const { return *stun::message_view::parse(wire); }
};

struct server_harness {
  using fill = std::function<void(stun::message_writer&)>;
  static constexpr std::int64_t start_unix = 1'800'000'000;

  static turn::server_config default_config() {
    turn::server_config c;
    c.users = {{"quiet-otter", "secret"}, {"brisk-heron", "other"}};
    c.rest_secret = "mint";
    const auto v6 = *parse_address("2001:db8::1");
    c.v6 = turn::relay_address{v6, v6};
    for (const auto range : {"192.0.2.0/24", "2001:db8:77::/48"}) {
      c.peers.allow.push_back(*turn::parse_prefix(range));
    }
    return c;
  }
  explicit server_harness(turn::server_config c = default_config())
      : server(std::move(c), random, start_unix, now) {}

  static path from(std::uint16_t port, const char* host = "203.0.113.5",
                   transport proto = transport::udp) {
    return {proto, server_v4, {*parse_address(host), port}};
  }

  // What the server sends in answer to this.
  std::optional<answer> exchange(const path& via, byte_view wire) {
    last = server.handle_client(via, wire, now);
    return drain(via);
  }
  std::optional<answer> drain(const path& via) {
    std::optional<answer> got;
    for (;;) {
      if (const auto e = server.poll_event()) {
        drive(*e);
        continue;
      }
      const auto t = server.poll_transmit();
      if (!t) return got;
      CHECK(t->via == via);
      const auto m = stun::message_view::parse(t->data);
      REQUIRE(m.has_value());
      const auto error = m->get<attr::error_code>();
      got = answer{t->data, m->type().kind == stun::kind::success, error ? error->code : 0};
    }
  }
  void drive(const turn::server_event& e) {
    if (const auto* open = std::get_if<turn::open_relay>(&e)) {
      asked.push_back(open->bind);
      if (busy_ports(open->bind)) return server.relay_failed(open->relay, now);
      CHECK(relays.emplace(open->relay, open->bind).second);
      server.relay_opened(open->relay, now);
    } else {
      CHECK(relays.erase(std::get<turn::close_relay>(e).relay) == 1);
    }
  }

  // A request signed with what the last challenge told.
  [[nodiscard]] bytes request(method m, const fill& body = {}) {
    std::array<std::byte, 1024> buffer;
    stun::message_writer w(buffer, {m, stun::kind::request}, stun::make_transaction_id(random));
    if (body) body(w);
    w.put<attr::username>(user).put<attr::realm>("rendezvous").put<attr::nonce>(nonce);
    const auto key =
        stun::make_long_term_key(stun::password_algorithm::md5, user, "rendezvous", password);
    return to_bytes(*w.finish_signed(key.view()));
  }
  std::optional<answer> ask(const path& via, method m, const fill& body = {}) {
    if (nonce.empty() || challenged != via.remote.ip) challenge(via);
    return exchange(via, request(m, body));
  }
  // An unsigned request; keeps the nonce.
  answer challenge(const path& via) {
    std::array<std::byte, 64> buffer;
    stun::message_writer w(buffer, {method::allocate, stun::kind::request},
                           stun::make_transaction_id(random));
    const auto got = exchange(via, *w.put<attr::requested_transport>(17).finish());
    REQUIRE(got);
    CHECK(got->code == 401);
    nonce = *got->view().get<attr::nonce>();
    challenged = via.remote.ip;
    return *got;
  }
  std::optional<answer> allocate(const path& via, const fill& body = {}) {
    return ask(via, method::allocate, [&](stun::message_writer& w) {
      w.put<attr::requested_transport>(17);
      if (body) body(w);
    });
  }
  std::optional<answer> permit(const path& via, const endpoint& peer) {
    return ask(via, method::create_permission,
               [&](stun::message_writer& w) { w.put<attr::xor_peer_address>(peer); });
  }
  std::optional<answer> bind(const path& via, std::uint16_t number, const endpoint& peer) {
    return ask(via, method::channel_bind, [&](stun::message_writer& w) {
      w.put<attr::channel_number>(number).put<attr::xor_peer_address>(peer);
    });
  }
  std::optional<answer> refresh(const path& via, std::uint32_t lifetime) {
    return ask(via, method::refresh,
               [&](stun::message_writer& w) { w.put<attr::lifetime>(lifetime); });
  }
  [[nodiscard]] turn::forward send(const path& via, const endpoint& peer, std::string_view data,
                                   bool dont_fragment = false) {
    std::array<std::byte, 256> buffer;
    stun::message_writer w(buffer, {method::send, stun::kind::indication},
                           stun::make_transaction_id(random));
    w.put<attr::xor_peer_address>(peer).put<attr::data>(as_bytes(data));
    if (dont_fragment) w.put<attr::dont_fragment>({});
    sent = to_bytes(*w.finish());
    return server.handle_client(via, sent, now).out;
  }
  void wait(duration d) {
    now += d;
    while (const auto next = server.next_timeout()) {
      if (*next > now) break;
      server.handle_timeout(now);
    }
    while (const auto e = server.poll_event()) drive(*e);
  }
  [[nodiscard]] std::uint64_t refused(turn::refusal r) const {
    return server.counters().refused[static_cast<std::size_t>(r)];
  }

  seeded_random random{5};
  time_point now{1h};
  std::string user = "quiet-otter", password = "secret", nonce;
  address challenged;
  std::map<turn::relay_id, endpoint> relays;
  std::vector<endpoint> asked;
  std::function<bool(const endpoint&)> busy_ports = [](const endpoint&) { return false; };
  turn::server::result last;
  bytes sent;
  turn::server server;
};

}  // namespace nat::test
