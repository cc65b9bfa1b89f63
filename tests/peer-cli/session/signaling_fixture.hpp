#pragma once

// A signaling_client in virtual time, with its driver's part played by the test: what it asked for
// is kept, by connection.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peer-cli/session/signaling_client.hpp"
#include "tests/check.hpp"

namespace nat::session::test {

struct client_fixture {
  nat::test::seeded_random random;
  time_point now{};
  signaling_client client{{.peer_id = "alice"}, random, now};
  std::vector<signaling_id> connections;  // as they were asked for
  std::vector<signaling_id> left;
  std::vector<std::pair<signaling_id, signal::client_message>> sent;

  client_fixture() { drain(); }

  void drain() {
    while (auto output = client.poll_output()) {
      if (const auto* const connect = std::get_if<signaling_connect>(&*output)) {
        connections.push_back(connect->id);
      } else if (const auto* const gone = std::get_if<signaling_disconnect>(&*output)) {
        left.push_back(gone->id);
      } else {
        const auto& text = std::get<signaling_send>(*output);
        auto message = signal::parse_client_message(text.text);
        REQUIRE(message);
        sent.emplace_back(text.id, std::move(*message));
      }
    }
  }
  [[nodiscard]] signaling_id last() const { return connections.back(); }

  template <class Event>
  std::optional<Event> next_event() {
    while (auto event = client.poll_event()) {
      if (auto* const wanted = std::get_if<Event>(&*event)) return std::move(*wanted);
    }
    return std::nullopt;
  }
  // What was asked for last: registered by `token`.
  signal::register_message open(const signaling_token& token = {}) {
    client.opened(last(), token, now);
    drain();
    REQUIRE_FALSE(sent.empty());
    REQUIRE(sent.back().first == last());
    REQUIRE(std::holds_alternative<signal::register_message>(sent.back().second));
    return std::get<signal::register_message>(sent.back().second);
  }
  void grant(const std::string& resume = "r1") {
    client.received(last(),
                    R"({"type":"registered","peer_id":"alice","resume":")" + resume +
                        R"(","ice_servers":[],"ttl":60})",
                    now);
    drain();
  }
  void refuse(const std::string& code) {
    client.received(
        last(),
        R"({"type":"error","code":")" + code + R"(","message":"no luck","request":"register"})",
        now);
    drain();
  }
  void register_now() {
    open();
    grant();
  }
  void lose(const std::string& reason = "reset") {
    client.closed(last(), reason, now);
    drain();
  }
  void wait() {
    REQUIRE(client.next_timeout());
    now = *client.next_timeout();
    client.handle_timeout(now);
    drain();
  }
  // The back-off ends and a connection opens.
  void come_back() {
    const auto before = connections.size();
    wait();
    REQUIRE(connections.size() == before + 1);
    open();
  }
  [[nodiscard]] std::size_t byes() const {
    return static_cast<std::size_t>(std::ranges::count_if(sent, [](const auto& one) {
      return std::holds_alternative<signal::bye_message>(one.second);
    }));
  }
};

inline constexpr auto bye_to_bob = [] { return signal::bye_message{"bob", {}, {}}; };

}  // namespace nat::session::test
