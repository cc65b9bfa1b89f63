#pragma once

// Two agents on a link in virtual time: delay, loss, and an endpoint-independent NAT at each end
// where a test wants one. Small on purpose; whole networks are in tests/sim.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ice/agent.hpp"
#include "tests/check.hpp"

namespace nat::ice::test {

using namespace std::chrono_literals;
using nat::test::seeded_random;

[[nodiscard]] endpoint at(std::string_view text);
[[nodiscard]] candidate host(std::string_view address, std::uint16_t preference = 65535);
[[nodiscard]] candidate reflexive(std::string_view address, std::string_view base,
                                  std::uint16_t preference = 65535);
[[nodiscard]] candidate relayed(std::string_view address);
// As the other side is told it.
[[nodiscard]] candidate signalled(candidate);

struct site {
  std::unique_ptr<ice::agent> agent;
  std::map<endpoint, endpoint> outside;  // door: how others see it, where a NAT stands between
  bool filters = false;                  // lets in only what was sent to (port-dependent)
  std::set<std::pair<endpoint, endpoint>> opened;    // door, remote
  std::set<std::pair<endpoint, endpoint>> poisoned;  // for tests of NATs with open input
  std::vector<candidate> locals;
  credentials keys;

  std::vector<event> events;
  std::vector<std::pair<time_point, connected>> paths;
  std::size_t sent = 0, openers = 0;

  [[nodiscard]] bool is_connected() const { return !paths.empty(); }
  [[nodiscard]] std::size_t count_failed() const;
  [[nodiscard]] std::size_t count_disconnected() const;
};

class wire {
 public:
  explicit wire(std::uint64_t seed = 1, duration delay = 20ms);

  seeded_random random;
  time_point now{std::chrono::hours{1}};
  time_point start = now;
  duration delay;
  unsigned loss_percent = 0;
  duration jitter{};
  site a, b;
  // False: the datagram is lost. Asked when it leaves.
  std::function<bool(const site& from, const transmit&)> passes;

  // False: the datagram is lost. Asked when it arrives, before the filter.
  std::function<bool(site& to, const endpoint& door, const endpoint& source)> arriving;

  // Makes the agent of a site; it is given its own candidates with know().
  void make(site&, role, const std::function<void(agent_config&)>& change = {});
  void know(site&, const candidate&);
  // Tells `to` the credentials, the candidates, or one candidate of the other.
  void tell_keys(site& to);
  void tell(site& to, const candidate&);
  void tell_all(site& to);
  // Both know everything, and that there is no more.
  void introduce();

  bool run_until(const std::function<bool()>& done, duration limit);
  void run_for(duration);
  void settle();  // drains both agents
  [[nodiscard]] bool both_connected() const { return a.is_connected() && b.is_connected(); }
  [[nodiscard]] duration elapsed() const { return now - start; }
  [[nodiscard]] site& other(const site& s) { return &s == &a ? b : a; }
  // Sends a datagram that no agent made.
  void inject(site& to, const path& from, bytes datagram);

 private:
  struct flight {
    site* to;
    endpoint source, destination;
    bytes data;
  };
  void drain(site&);
  void leave(site& from, const transmit&);
  void arrive(const flight&);
  [[nodiscard]] std::optional<time_point> next() const;
  std::multimap<time_point, flight> flights_;
};

}  // namespace nat::ice::test
