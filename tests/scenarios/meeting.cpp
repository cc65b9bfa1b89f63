#include "tests/scenarios/meeting.hpp"

#include <sstream>

namespace nat::scenarios {

meeting::meeting(meeting_options o) : world(o.seed), options(std::move(o)) {
  auto& public_host =
      world.add_host(world.internet(), {.delay = options.server_delay}, true, options.v6_server);
  server_ = std::make_unique<sim::relay_node>(world, public_host,
                                              sim::relay_node::options{.turn = options.turn});
  server = server_.get();
  left_host = &settle_in(options.left, left_gate);
  if (options.one_lan) {
    right_gate = left_gate;
    right_host = &world.add_host(left_gate->inside(), {}, options.right.v4, options.right.v6);
  } else {
    right_host = &settle_in(options.right, right_gate);
  }
  left = make_peer(*left_host, ice::role::controlling);
  right = make_peer(*right_host, ice::role::controlled);
  wire(*left, right);
  wire(*right, left);
}

sim::network& meeting::carrier_for(const place& p) {
  if (carrier_ != nullptr) return *carrier_;
  auto& inside =
      world
          .add_site(
              world.internet(),
              {.rules = *p.carrier, .link = p.link, .v4 = p.v4, .v6 = p.v6, .carrier_grade = true})
          .inside();
  if (options.one_carrier) carrier_ = &inside;
  return inside;
}

sim::host& meeting::settle_in(const place& p, sim::router*& gate) {
  auto* network = p.carrier ? &carrier_for(p) : &world.internet();
  auto link = p.carrier ? sim::link_rules{} : p.link;
  if (!p.open) {
    gate = &world.add_site(
        *network,
        {.rules = p.nat, .link = link, .v4 = p.v4, .v6 = p.v6, .inner_prefix = p.inner_prefix});
    network = &gate->inside();
    link = {};
  }
  auto& h = world.add_host(*network, link, p.v4, p.v6);
  for (unsigned i = 0; i < p.dead_bridges; ++i) world.add_interface(h, world.add_dead_end());
  return h;
}

std::unique_ptr<peer> meeting::make_peer(sim::host& h, ice::role role) {
  peer_options o;
  o.role = role;
  // What a peer's own round trip to the signaling server would have told it.
  o.agent.signaling_delay = options.signaling + options.signaling_jitter / 2;
  if (!options.openers) o.agent.opener_hop_limit = 0;
  const auto add = [&](bool v4) {
    ice::server s;
    s.address = server->at(v4);
    if (options.stun) {
      s.url = "stun:" + nat::to_string(s.address);
      o.servers.push_back(s);
    }
    if (!options.turn) return;
    s.what = ice::server::kind::turn;
    s.proto = options.turn_transport;
    s.url = "turn:" + nat::to_string(s.address);
    s.username = sim::relay_node::username;
    s.password = sim::relay_node::password;
    o.servers.push_back(s);
  };
  add(true);
  if (options.v6_server) add(false);
  return std::make_unique<peer>(world, h, std::move(o));
}

void meeting::wire(peer& from, std::unique_ptr<peer>& to) {
  from.send_signal = [this, &to](const signal& s) {
    auto span = options.signaling;
    if (options.signaling_jitter > duration::zero()) {
      span += duration{static_cast<duration::rep>(
          world.chance().below(static_cast<std::uint64_t>(options.signaling_jitter.count())))};
    }
    std::vector<std::pair<duration, signal>> copies{{duration{}, s}};
    if (options.mangle) copies = options.mangle(s);
    for (auto& [later, copy] : copies) {
      world.after(span + later, [&to, copy = std::move(copy)] {
        if (to) to->take(copy);
      });
    }
  };
}

void meeting::start() {
  if (options.head_start > duration::zero()) {
    right->start();
    world.run_for(options.head_start);
  }
  offered_ = world.now();
  left->start();
  left->offer();
  if (options.head_start == duration::zero()) right->start();
}

result meeting::connect(duration limit) {
  start();
  const bool met = world.run_until(
      [&] { return left->now_by() != path_kind::none && right->now_by() != path_kind::none; },
      limit);
  if (!met) return {path_kind::none, world.now() - offered_};
  const result r{left->now_by(), world.now() - offered_};
  const auto before = left->received(), before_right = right->received();
  const bool heard =
      world.run_until([&] { return left->received() > before && right->received() > before_right; },
                      std::chrono::seconds{5});
  return heard ? r : result{path_kind::none, r.took};
}

bool meeting::hear_each_other() const {
  const auto fresh = world.now() - std::chrono::seconds{1};
  return left->last_received() > fresh && right->last_received() > fresh;
}

bool meeting::settle(path_kind kind, duration limit) {
  return world.run_until(
      [&] { return left->now_by() == kind && right->now_by() == kind && hear_each_other(); },
      limit);
}

std::string meeting::story() const {
  std::ostringstream out;
  out << "seed " << options.seed;
  for (const auto* p : {left.get(), right.get()}) {
    out << (p == left.get() ? "\nleft" : "\nright");
    for (const auto& [when, c] : p->paths()) {
      out << "\n  +" << milliseconds(when - offered_) << " ms: " << to_string(c.local.kind) << ' '
          << nat::to_string(c.via.local) << " -> " << to_string(c.remote.kind) << ' '
          << nat::to_string(c.via.remote) << (c.nominated ? " nominated" : "");
    }
    for (const auto& pair : p->agent().pairs()) {
      out << "\n  pair " << to_string(pair.local.kind) << ' ' << nat::to_string(pair.local.address)
          << " -> " << to_string(pair.remote.kind) << ' ' << nat::to_string(pair.remote.address)
          << " state " << static_cast<int>(pair.state) << " sent " << pair.checks_sent << " heard "
          << pair.checks_received << " answers " << pair.responses_received;
    }
  }
  return std::move(out).str();
}

}  // namespace nat::scenarios
