#pragma once

// A gatherer between sockets and servers of a made-up network, in virtual time. Each socket's NAT
// is a function; servers are scripted.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "ice/gather/gatherer.hpp"
#include "tests/stun/turn/scripted_server.hpp"

namespace nat::test {

struct gather_world {
  explicit gather_world(ice::gather_config c = {}) : gatherer(c, random, now) {}

  gather_world(const gather_world&) = delete;  // the gatherer refers to `random`

  struct box {  // one server
    scripted_server turn{};
    bool speaks_turn = false, speaks_stun = true, silent = false;
    int stun_error = 0;
    std::optional<endpoint> stun_alternate{};
    duration one_way = 10ms;
    std::set<endpoint> heard_from{};
    int bindings = 0;
  };

  seeded_random random{3};
  time_point now{};
  std::map<endpoint, box> boxes;
  std::set<endpoint> dead;  // sockets that lead nowhere
  // What a server sees of a socket.
  std::function<endpoint(const endpoint& base, const endpoint& server)> mapped =
      [](const endpoint& base, const endpoint&) { return base; };
  std::function<bool(const transmit&)> lose = [](const transmit&) { return false; };
  ice::gatherer gatherer;

  std::vector<std::pair<time_point, ice::gather_event>> log;
  std::vector<std::pair<path, std::string>> arrived;
  std::vector<transmit> to_strangers;  // sent to who is no server
  std::size_t sent = 0;

  box& stun(const char* at) { return boxes[*parse_endpoint(at)]; }
  box& turn(const char* at, const char* relay_v4 = "198.51.100.9:50000") {
    auto& made = stun(at);
    made.speaks_turn = true;
    made.turn.relay_v4 = *parse_endpoint(relay_v4);
    made.turn.gives_v6 = false;
    return made;
  }
  static ice::server stun_url(const char* at) {
    return {.url = std::string("stun:") + at, .address = *parse_endpoint(at)};
  }
  static ice::server turn_url(const char* at, transport proto = transport::udp, bool tls = false) {
    return {.url = std::string(tls ? "turns:" : "turn:") + at +
                   (proto == transport::tcp ? "?transport=tcp" : ""),
            .what = ice::server::kind::turn,
            .proto = proto,
            .tls = tls,
            .host = "turn.example.org",
            .address = *parse_endpoint(at),
            .username = "quiet-otter",
            .password = "secret"};
  }

  void run(duration length) {
    const auto end = now + length;
    for (int steps = 0;; ++steps) {
      REQUIRE(steps < 200'000);
      drain();
      auto next = gatherer.next_timeout();
      if (!wire_.empty()) next = earlier(next, wire_.begin()->first);
      if (!next || *next > end) break;
      now = std::max(now, *next);
      while (!wire_.empty() && wire_.begin()->first <= now) {
        auto p = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        deliver(p);
      }
      if (const auto due = gatherer.next_timeout(); due && *due <= now) {
        gatherer.handle_timeout(now);
      }
    }
    now = end;
  }

  void post_to_client(const path& via, bytes wire, duration delay) {
    wire_.emplace(now + delay, packet{via, std::move(wire), false});
  }

  template <class Event>
  [[nodiscard]] std::vector<Event> all() const {
    std::vector<Event> out;
    for (const auto& [at, e] : log) {
      if (const auto* wanted = std::get_if<Event>(&e)) out.push_back(*wanted);
    }
    return out;
  }
  [[nodiscard]] std::vector<ice::candidate> found(ice::candidate_kind kind) const {
    std::vector<ice::candidate> out;
    for (const auto& f : all<ice::found>()) {
      if (f.what.kind == kind) out.push_back(f.what);
    }
    return out;
  }
  // When the first candidate of this kind was there.
  [[nodiscard]] std::optional<duration> found_at(ice::candidate_kind kind) const {
    for (const auto& [at, e] : log) {
      const auto* f = std::get_if<ice::found>(&e);
      if (f != nullptr && f->what.kind == kind) return at - time_point{};
    }
    return std::nullopt;
  }
  [[nodiscard]] std::optional<duration> gathered_at() const {
    for (const auto& [at, e] : log) {
      if (std::holds_alternative<ice::gathered>(e)) return at - time_point{};
    }
    return std::nullopt;
  }

 private:
  struct packet {
    path via;
    bytes wire;
    bool to_server;
  };

  void drain() {
    while (auto out = gatherer.poll_transmit()) {
      ++sent;
      const auto at = boxes.find(out->via.remote);
      if (at == boxes.end()) {
        to_strangers.push_back(*out);
        continue;
      }
      if (dead.contains(out->via.local) || lose(*out)) continue;
      const auto step = out->segment_size == 0 ? out->data.size() : out->segment_size;
      for (std::size_t i = 0; i < out->data.size(); i += step) {
        const auto one = byte_view(out->data).subspan(i, std::min(step, out->data.size() - i));
        wire_.emplace(now + at->second.one_way, packet{out->via, to_bytes(one), true});
      }
    }
    while (auto e = gatherer.poll_event()) log.emplace_back(now, std::move(*e));
  }

  void deliver(const packet& p) {
    if (!p.to_server) {
      const auto taken = gatherer.handle_datagram(p.via, p.wire, now);
      if (taken.from) arrived.emplace_back(*taken.from, std::string(as_text(taken.data)));
      return;
    }
    auto& server = boxes.at(p.via.remote);
    server.heard_from.insert(p.via.local);
    if (server.silent) return;
    if (auto answer = answer_of(server, p)) {
      post_to_client(p.via, std::move(*answer), server.one_way);
    }
  }

  std::optional<bytes> answer_of(box& server, const packet& p) {
    const auto outside = mapped(p.via.local, p.via.remote);
    const auto view = stun::message_view::parse(p.wire);
    if (view && view->type() == stun::binding_request) {
      ++server.bindings;
      return server.speaks_stun ? std::optional(binding(server, *view, outside)) : std::nullopt;
    }
    if (!server.speaks_turn) return std::nullopt;
    server.turn.mapped = outside;
    return server.turn.handle(p.wire, now);
  }

  static bytes binding(const box& server, const stun::message_view& request,
                       const endpoint& outside) {
    std::array<std::byte, 128> buffer;
    if (server.stun_error != 0) {
      stun::message_writer out(buffer, stun::binding_error, request.id());
      out.put<stun::attr::error_code>({server.stun_error, "no"});
      if (server.stun_alternate) out.put<stun::attr::alternate_server>(*server.stun_alternate);
      return to_bytes(*out.finish());
    }
    stun::message_writer out(buffer, stun::binding_success, request.id());
    return to_bytes(*out.put<stun::attr::xor_mapped_address>(outside).finish());
  }

  std::multimap<time_point, packet> wire_;
};

}  // namespace nat::test
