#pragma once

// A TURN client and a scripted server with a wire between them, in virtual time.

#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "stun/turn/client.hpp"
#include "tests/stun/turn/scripted_server.hpp"

namespace nat::test {

struct turn_world {
  static turn::client_config config(transport proto = transport::udp) {
    return {
        .server = {proto, *parse_endpoint("10.0.0.1:5000"), *parse_endpoint("198.51.100.1:3478")},
        .username = "quiet-otter",
        .password = "secret"};
  }

  explicit turn_world(turn::client_config c = config(), scripted_server s = {})
      : server(std::move(s)), via(c.server), client(std::move(c), random, now) {}

  // Called with the running number of a packet, either way; true loses it.
  std::function<bool(int number, bool to_server)> lose = [](int, bool) { return false; };

  seeded_random random{7};
  time_point now{};
  duration one_way = 10ms;
  scripted_server server;
  path via;
  turn::client client;
  std::vector<turn::client_event> events;
  struct arrival {
    endpoint relayed, peer;
    std::string data;
  };
  std::vector<arrival> arrived;
  int packets = 0;
  std::size_t sent_datagrams = 0;

  void post_to_client(bytes wire) { wire_.emplace(now + one_way, packet{false, std::move(wire)}); }

  // Runs for so much virtual time.
  void run(duration length) {
    const auto end = now + length;
    for (int steps = 0;; ++steps) {
      REQUIRE(steps < 200'000);
      drain();
      auto next = client.next_timeout();
      if (!wire_.empty()) next = earlier(next, wire_.begin()->first);
      if (!next || *next > end) break;
      now = std::max(now, *next);
      while (!wire_.empty() && wire_.begin()->first <= now) {
        auto p = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        deliver(std::move(p));
      }
      if (const auto due = client.next_timeout(); due && *due <= now) client.handle_timeout(now);
    }
    now = end;
  }

  template <class Event>
  [[nodiscard]] std::vector<Event> all() const {
    std::vector<Event> out;
    for (const auto& e : events) {
      if (const auto* wanted = std::get_if<Event>(&e)) out.push_back(*wanted);
    }
    return out;
  }
  template <class Event>
  [[nodiscard]] bool has() const {
    return !all<Event>().empty();
  }

 private:
  struct packet {
    bool to_server;
    bytes wire;
  };

  void drain() {
    while (auto out = client.poll_transmit()) {
      CHECK(out->via == via);
      const auto step = out->segment_size == 0 ? out->data.size() : out->segment_size;
      for (std::size_t at = 0; at < out->data.size(); at += step) {
        const auto one = byte_view(out->data).subspan(at, std::min(step, out->data.size() - at));
        ++sent_datagrams;
        if (!lose(packets++, true)) wire_.emplace(now + one_way, packet{true, to_bytes(one)});
      }
    }
    while (auto e = client.poll_event()) events.push_back(std::move(*e));
  }

  void deliver(packet p) {
    if (p.to_server) {
      auto answer = server.handle(p.wire, now);
      if (answer && !lose(packets++, false)) post_to_client(std::move(*answer));
      return;
    }
    const auto taken = client.handle_datagram(via, p.wire, now);
    CHECK(taken.ours);
    if (taken.data) {
      arrived.push_back(
          {taken.data->relayed, taken.data->peer, std::string(as_text(taken.data->data))});
    }
  }

  std::multimap<time_point, packet> wire_;
};

}  // namespace nat::test
