#pragma once

// The inside of mapper.
//   mapper.cpp        the public face: pairs, datagrams, deadlines
//   mapper_pairs.cpp  one socket at one gateway: who is asked when, and what is told of it

#include <array>
#include <deque>
#include <list>
#include <map>

#include "ice/portmap/epoch.hpp"
#include "ice/portmap/mapper.hpp"
#include "ice/portmap/nat_pmp_client.hpp"
#include "ice/portmap/pcp_client.hpp"
#include "ice/portmap/upnp_client.hpp"

namespace nat::portmap {

// What has been told of one protocol.
struct told {
  std::optional<mapping> stands;
  bool answered = false;
  std::optional<address> external;
  std::string refusal;
};

struct gateway_pair {
  endpoint base;
  address gateway;
  time_point started;
  std::optional<pcp_client> pcp{};
  std::optional<nat_pmp_client> nat_pmp{};  // IPv4 only
  std::optional<upnp_client> upnp{};
  std::uint32_t exchange = 0;  // under way
  std::array<told, 3> told_of{};

  [[nodiscard]] bool has_mapping() const;
  [[nodiscard]] bool released() const;
  [[nodiscard]] bool settled() const;
  // Its turn may still come: it is willing, and nobody has mapped.
  [[nodiscard]] bool waits_for_turn() const;
  [[nodiscard]] std::optional<time_point> next_timeout() const;
};

struct mapper::state {
  state(mapper_config config, random_source& random) : config_(config), random_(random) {}

  void add(const endpoint& base, const address& gateway, time_point now);
  void drop(gateway_pair&, time_point now);
  void handle_server(gateway_pair&, byte_view datagram, time_point now);
  void note_epoch(protocol, const address& gateway, std::uint32_t epoch, const gateway_pair* from,
                  time_point now);

  // mapper_pairs.cpp
  void step(gateway_pair&, time_point now);  // after anything that happened to it
  void take_turns(gateway_pair&, time_point now) const;
  void send_due(gateway_pair&, time_point now);
  void report(gateway_pair&, time_point now);
  void report_answer(gateway_pair&, protocol, bool spoken, const std::optional<address>& external);
  void report_lease(gateway_pair&, protocol, const lease*, time_point now);
  void queue(const gateway_pair&, const endpoint& to, bytes);
  void tell(mapper_event);

  mapper_config config_;
  random_source& random_;
  std::list<gateway_pair> pairs_;
  std::map<std::pair<address, protocol>, epoch_watch> epochs_;
  std::deque<transmit> outbox_;
  std::deque<mapper_event> events_;
  std::uint32_t next_exchange_ = 1;
  bool releasing_ = false;
};

}  // namespace nat::portmap
