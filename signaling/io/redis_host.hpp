#pragma once

// Where --cluster's Redis is. Its name is looked up again for each connection, but only the first
// one waits for that: later ones go to what is known, and by what was found meanwhile if that
// fails.

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "signaling/cluster/member.hpp"
#include "signaling/io/cluster_options.hpp"
#include "stun/io/name_lookup.hpp"

namespace nat::signaling::io {

class redis_host {
 public:
  // Starts a look-up, whose result comes from the event loop, once. One at a time.
  using look_up = std::function<void(const std::string& host, stun::io::name_lookup::result)>;
  // An address, or why there is none.
  using told = std::function<void(const std::expected<endpoint, std::string>&)>;

  redis_host(const cluster_url&, look_up);

  // For a connection to be made: at once where an address is known, else when one is found, or
  // none. Of several addresses the next is taken where the last was not reached(). The inbox goes
  // where the commands went: both must lead to one Redis.
  void find(cluster::line, told);
  // The connection of commands was made.
  void reached() noexcept { tried_ = false; }
  // Its `told` is not called any more; what is found is kept.
  void cancel(cluster::line which) { waiting_[index(which)] = nullptr; }

 private:
  static std::size_t index(cluster::line which) { return which == cluster::line::commands ? 0 : 1; }
  void ask();
  void tell(cluster::line, const told&);
  void choose();

  const std::string name_;
  const std::uint16_t port_;
  look_up look_up_;
  std::vector<address> addresses_;  // of the last look-up that found any, or the literal
  std::expected<endpoint, std::string> current_ = std::unexpected(std::string());
  std::string reason_;  // why the last one found none
  bool literal_ = false, looking_ = false, tried_ = false;
  std::array<told, 2> waiting_;  // by line
};

}  // namespace nat::signaling::io
