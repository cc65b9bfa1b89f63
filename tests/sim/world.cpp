#include "tests/sim/world.hpp"

#include <algorithm>
#include <stdexcept>

namespace nat::sim {
namespace {

constexpr std::uint32_t internet_v4 = 0xcb007100;  // 203.0.113.0
constexpr std::uint32_t lan_v4 = 0xc0a80000;       // 192.168.0.0
constexpr std::uint32_t carrier_v4 = 0x64400000;   // 100.64.0.0
constexpr std::uint32_t dead_end_v4 = 0xac110000;  // 172.17.0.0
// A node that asks to be called this often at one instant would hang a real driver as well.
constexpr unsigned most_calls_at_once = 10'000;
constexpr unsigned most_sends_at_once = 100'000;

}  // namespace

world::world(std::uint64_t seed) : fabric_(seed) {
  networks_.push_back(std::make_unique<network>(fabric_, network::prefixes{internet_v4, 0}, 1));
}

world::~world() = default;

router& world::add_site(network& outside, const site& s) {
  const auto number = static_cast<std::uint16_t>(networks_.size());
  const auto range = s.carrier_grade ? carrier_v4 : lan_v4;
  const auto v4 = s.inner_prefix != 0 ? s.inner_prefix : range + number * 256U;
  auto& inside =
      *networks_.emplace_back(std::make_unique<network>(fabric_, network::prefixes{v4, number}, 0));
  if (s.v4) static_cast<void>(inside.next_v4());  // the router's own
  std::vector<address> external;
  for (unsigned i = 0; s.v4 && i < s.external_addresses; ++i) external.push_back(outside.next_v4());
  auto& added = *routers_.emplace_back(
      std::make_unique<router>(fabric_, outside, inside, s.rules, s.link, std::move(external)));
  router_of_[&inside] = &added;
  return added;
}

network& world::add_dead_end() {
  const auto number = static_cast<std::uint16_t>(networks_.size());
  return *networks_.emplace_back(std::make_unique<network>(
      fabric_, network::prefixes{dead_end_v4 + number * 65536U, number}, 0));
}

host& world::add_host(network& n, const link_rules& link, bool v4, bool v6) {
  auto& added = *hosts_.emplace_back(std::make_unique<host>(fabric_));
  add_interface(added, n, link, v4, v6);
  return added;
}

void world::add_interface(host& h, network& n, const link_rules& link, bool v4, bool v6) {
  for (const auto& a : h.add_interface(n, link, v4, v6)) {
    if (a.v4) continue;
    // IPv6 is routed from the internet inwards, through every firewall on the way.
    for (auto at = router_of_.find(&n); at != router_of_.end();
         at = router_of_.find(at->first->outside)) {
      at->second->route(a);
    }
  }
}

void world::attach(host& h, node& n) {
  nodes_.push_back({&h, &n});
}

void world::detach(node& n) {
  std::erase_if(nodes_, [&](const attached& a) { return a.what == &n; });
}

void world::after(duration span, std::function<void()> what) {
  fabric_.at(fabric_.now + span, std::move(what));
}

bool world::run_until(const std::function<bool()>& done, duration limit) {
  const auto end = fabric_.now + limit;
  for (;;) {
    drain();
    if (done()) return true;
    const auto when = next();
    if (!when || *when > end) {
      fabric_.now = end;
      return false;
    }
    fabric_.now = std::max(fabric_.now, *when);
    if (!fabric_.queue.empty() && fabric_.queue.begin()->first.first <= fabric_.now) {
      auto due = fabric_.queue.extract(fabric_.queue.begin());
      due.mapped()();
    } else {
      call_due();
    }
  }
}

void world::run_for(duration span) {
  run_until([] { return false; }, span);
}

void world::capture(const std::string& file) {
  fabric_.capture = std::make_unique<pcap_writer>(file);
}

void world::drain() {
  unsigned sent = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto [on, what, last, calls] = nodes_[i];
    while (auto out = what->poll_transmit()) {
      if (++sent > most_sends_at_once) throw std::runtime_error("a node sends without end");
      on->send(*what, *out);
    }
  }
}

std::optional<time_point> world::next() const {
  std::optional<time_point> earliest;
  if (!fabric_.queue.empty()) earliest = fabric_.queue.begin()->first.first;
  for (const auto& n : nodes_) earliest = earlier(earliest, n.what->next_timeout());
  return earliest;
}

void world::call_due() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto due = nodes_[i].what->next_timeout();
    if (!due || *due > fabric_.now) continue;
    auto& n = nodes_[i];
    n.calls_at_once = n.last_call == fabric_.now ? n.calls_at_once + 1 : 1;
    n.last_call = fabric_.now;
    if (n.calls_at_once > most_calls_at_once) throw std::runtime_error("a node's timeout spins");
    n.what->handle_timeout(fabric_.now);
  }
}

}  // namespace nat::sim
