#pragma once

// What the routers at hand have told while a command ran, and what follows from it beside what STUN
// servers see: another NAT behind the router.

#include <optional>
#include <string>
#include <vector>

#include "ice/gather/gatherer.hpp"
#include "ice/portmap/mapper.hpp"
#include "peer-cli/commands/words.hpp"

namespace nat::commands {

[[nodiscard]] json to_json(const portmap::mapping&);

class routers {
 public:
  void note(const portmap::answered&);
  void note(const portmap::mapped&);
  void note(const portmap::unmapped&);
  void note(const portmap::refused&);
  void note(const ice::found&);  // STUN's view of the same sockets

  // One object for each router and protocol that has answered: "protocol", "gateway",
  // "external_address", "mapped", "refused", and "second_nat" where it can be told.
  [[nodiscard]] json list() const;
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  struct entry {
    portmap::protocol how;
    address gateway;
    endpoint base;
    std::optional<address> external{};
    std::optional<endpoint> mapped{};
    std::string refused{};
  };
  entry& at(portmap::protocol, const address& gateway, const endpoint& base);
  [[nodiscard]] std::optional<bool> second_nat(const entry&) const;

  std::vector<entry> entries_;  // as many as the mapper has pairs, times three
  struct sighting {
    endpoint base;
    address seen;
  };
  std::vector<sighting> seen_;
};

}  // namespace nat::commands
