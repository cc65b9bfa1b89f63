#pragma once

// The translation and filtering of one NAT for one transport, without any network around it:
// RFC 4787's mapping × filtering × port choice × pooling × lifetime. A mapping's key is the tuple
// (inner endpoint, remote endpoint) with the fields zeroed that the mapping does not depend on.

#include <map>
#include <optional>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "tests/sim/dice.hpp"
#include "tests/sim/rules.hpp"

namespace nat::sim {

class nat_table {
 public:
  // `external` may be empty only where the rules don't translate. `chance` outlives the table.
  nat_table(const nat_rules&, dependence filtering, std::vector<address> external, dice& chance);

  // A packet leaves: its source as the outside sees it; nothing when no mapping is to be had.
  std::optional<endpoint> outbound(const endpoint& inner, const endpoint& remote, time_point now);

  enum class verdict : std::uint8_t { pass, refused, taken_in };
  struct arrival {
    verdict what;
    endpoint inner;  // where it goes, if it passes
  };
  // A packet comes from `remote` to `external`.
  arrival inbound(const endpoint& external, const endpoint& remote, time_point now);

  // The same translations without any effect, for ICMP errors.
  [[nodiscard]] std::optional<endpoint> peek_outbound(const endpoint& inner, const endpoint& remote,
                                                      time_point now) const;
  [[nodiscard]] std::optional<endpoint> peek_inbound(const endpoint& external,
                                                     time_point now) const;

  [[nodiscard]] std::size_t size(time_point now) const;  // mappings alive
  void forget_all();                                     // the NAT restarts

 private:
  struct flow {
    endpoint inner, remote;
    bool moved = false;
    auto operator<=>(const flow&) const = default;
  };
  struct mapping {
    endpoint external;
    time_point expires;
    std::map<endpoint, time_point> contacted;  // zeroed as the filtering asks
  };

  [[nodiscard]] flow key_of(const endpoint& inner, const endpoint& remote) const;
  [[nodiscard]] mapping* find(const flow&, time_point now);
  mapping* create(const flow&, const endpoint& inner, time_point now);
  [[nodiscard]] bool is_contacted(const mapping&, const endpoint& remote, time_point now) const;
  [[nodiscard]] bool is_taken(const endpoint& external, const endpoint& remote,
                              time_point now) const;
  void expire(time_point now);
  address choose_address(const address& inner);
  std::optional<std::uint16_t> choose_port(const address& external, std::uint16_t preferred);
  [[nodiscard]] bool is_free(const address& external, std::uint16_t port) const;

  nat_rules rules_;
  dependence filtering_;
  std::vector<address> external_;
  dice& chance_;
  std::map<flow, mapping> mappings_;
  std::map<endpoint, flow> by_external_;
  std::map<address, address> pool_;
  // (remote, external) tuples owned by entries of packets that the router took in itself.
  std::map<std::pair<endpoint, endpoint>, time_point> taken_;
  std::uint16_t next_port_;
  std::uint16_t block_start_;
};

}  // namespace nat::sim
