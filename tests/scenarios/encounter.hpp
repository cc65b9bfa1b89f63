#pragma once

// Two peers, `left` who calls and `right` who listens, each behind a NAT, with one server between.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "tests/check.hpp"
#include "tests/scenarios/session_peer.hpp"

namespace nat::scenarios {

using namespace std::chrono_literals;

inline constexpr sim::nat_rules port_restricted{};
inline constexpr sim::nat_rules symmetric{.mapping = sim::dependence::address_and_port,
                                          .ports = sim::port_choice::random};

struct setting {
  std::uint64_t seed = 1;
  sim::nat_rules left{}, right{};
  sim::link_rules link{.delay = 10ms};
  session::path_policy policy = session::path_policy::all;
  std::optional<std::string> left_secret = std::nullopt, right_secret = std::nullopt;
  std::size_t size = 100'000;  // each way
};

struct encounter {
  explicit encounter(const setting& s)
      : world(s.seed),
        server_host(world.add_host(world.internet(), {.delay = 5ms})),
        server(world, server_host, {.config = relay_config()}),
        hub(world, server.at(), "mint", 10ms),
        left_gate(world.add_site(world.internet(), {.rules = s.left, .link = s.link})),
        right_gate(world.add_site(world.internet(), {.rules = s.right, .link = s.link})) {
    session::peer_config listener, caller;
    listener.id = "right";
    caller.id = "left";
    caller.target = "right";
    listener.policy = caller.policy = s.policy;
    listener.secret = s.right_secret;
    caller.secret = s.left_secret;
    right = std::make_unique<session_peer>(world, world.add_host(right_gate.inside()), hub,
                                           std::move(listener));
    world.run_for(1s);
    left = std::make_unique<session_peer>(world, world.add_host(left_gate.inside()), hub,
                                          std::move(caller));
    left->to_send = right->to_send = s.size;
    seed = s.seed;
    size = s.size;
  }
  static turn::server_config relay_config() {
    auto c = sim::relay_node::default_config();
    c.rest_secret = "mint";
    return c;
  }

  bool run(duration limit = 60s) {
    return world.run_until(
        [&] {
          const auto& l = left->seen();
          const auto& r = right->seen();
          return l.failure || r.failure || (l.received >= size && r.received >= size);
        },
        limit);
  }
  // From the offer until both have a path.
  [[nodiscard]] duration path_took() const {
    REQUIRE((left->seen().path && right->seen().path));
    return std::max(*left->seen().path, *right->seen().path) - *left->seen().offered;
  }
  [[nodiscard]] bool relayed() const {
    return !left->seen().paths.empty() && session::is_relayed(left->seen().paths.back().second);
  }
  void check_whole() const {
    for (const auto* p : {left.get(), right.get()}) {
      const std::string who = p == left.get() ? "left" : "right";
      INFO(who, ", seed ", seed);
      if (p->seen().failure) FAIL_CHECK(p->seen().failure->message);
      CHECK(p->seen().received == size);
      CHECK(p->seen().whole);
    }
  }

  sim::world world;
  sim::host& server_host;
  sim::relay_node server;
  office hub;
  sim::router &left_gate, &right_gate;
  std::unique_ptr<session_peer> right, left;
  std::uint64_t seed = 0;
  std::size_t size = 0;
};

}  // namespace nat::scenarios
