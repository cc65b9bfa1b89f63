#pragma once

// Where --cluster's Redis is: its name is looked up again for each new connection, and no event
// loop waits for that.

#include <array>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "signaling/cluster/member.hpp"
#include "signaling/io/cluster_options.hpp"
#include "stun/io/name_lookup.hpp"

namespace nat::signaling::io {

class redis_host {
 public:
  // An address, or why there is none.
  using told = std::function<void(const std::expected<endpoint, std::string>&)>;

  redis_host(boost::asio::any_io_executor, const cluster_url&);

  // For a connection to be made: at once where it is known, else from the executor. Of several
  // addresses each look-up takes the next. Only the line of commands looks up, and the inbox goes
  // where it went: both must lead to one Redis. While the name is not found, what was found before
  // counts.
  void find(cluster::line, told);
  // Its `told` is not called any more. The look-up goes on, and the next find() shares it: a slow
  // one may take longer than the cluster's member waits for a connection.
  void cancel(cluster::line which) { waiting_[index(which)] = nullptr; }

 private:
  static std::size_t index(cluster::line which) { return which == cluster::line::commands ? 0 : 1; }
  void take(const std::vector<address>& found, const std::string& reason);
  void answer();

  boost::asio::any_io_executor executor_;
  const std::string name_;
  const std::uint16_t port_;
  std::vector<address> addresses_;  // of the last look-up that found any
  std::expected<endpoint, std::string> current_ = std::unexpected(std::string());
  bool literal_ = false;
  std::array<told, 2> waiting_;  // by line
  std::optional<stun::io::name_lookup> lookup_;
};

}  // namespace nat::signaling::io
