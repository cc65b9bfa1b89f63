#pragma once

// A network in one thread and no time: hosts, links, NATs, and a clock that jumps to the next thing
// that happens. Same seed, same run, byte for byte. A test builds the topology, attaches its nodes,
// and runs until what it waits for holds or a span of virtual time has passed.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/host.hpp"
#include "tests/sim/router.hpp"

namespace nat::sim {

// A LAN behind a router.
struct site {
  nat_rules rules{};
  link_rules link{};  // the router's outer one
  unsigned external_addresses = 1;
  bool v4 = true, v6 = false;
  bool carrier_grade = false;      // inner addresses from 100.64/10 instead of 192.168/16
  std::uint32_t inner_prefix = 0;  // a /24 of one's own choice, to make two sites' ranges collide
};

class world {
 public:
  explicit world(std::uint64_t seed);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  // The core counts one router hop between any two of its links (network::transit_hops).
  [[nodiscard]] network& internet() { return *networks_.front(); }
  router& add_site(network& outside, const site&);
  // A network that leads nowhere, like a bridge of a container runtime.
  network& add_dead_end();
  host& add_host(network&, const link_rules& = {}, bool v4 = true, bool v6 = false);
  void add_interface(host&, network&, const link_rules& = {}, bool v4 = true, bool v6 = false);

  // Both outlive the run.
  void attach(host&, node&);
  void detach(node&);
  void after(duration, std::function<void()> what);

  // Runs until `done` holds (true), or nothing is left to happen or `limit` has passed (false).
  bool run_until(const std::function<bool()>& done, duration limit);
  void run_for(duration span);

  [[nodiscard]] time_point now() const { return fabric_.now; }
  [[nodiscard]] dice& chance() { return fabric_.chance; }
  [[nodiscard]] const sim::counters& counters() const { return fabric_.counters; }
  // From here on every packet goes to this pcap file.
  void capture(const std::string& file);

 private:
  struct attached {
    host* on;
    node* what;
    time_point last_call{};
    unsigned calls_at_once = 0;
  };
  void drain();
  [[nodiscard]] std::optional<time_point> next() const;
  void call_due();

  fabric fabric_;
  std::vector<std::unique_ptr<network>> networks_;
  std::vector<std::unique_ptr<router>> routers_;
  std::vector<std::unique_ptr<host>> hosts_;
  std::vector<attached> nodes_;
  std::map<const network*, router*> router_of_;
};

}  // namespace nat::sim
