#pragma once

// --cluster redis://HOST[:PORT][/DATABASE], and where its server is.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/endpoint.hpp"

namespace nat::signaling::io {

struct cluster_url {
  std::string host;
  std::uint16_t port = 6379;
  unsigned database = 0;
};
// Otherwise: a sentence that says what is wrong with it, and repeats nothing of it.
[[nodiscard]] std::expected<cluster_url, std::string> parse_cluster_url(std::string_view);

// Looks a host name up, once: afterwards the loop that reconnects must not wait for a resolver.
// Throws startup_error.
[[nodiscard]] endpoint find_cluster(const cluster_url&);

}  // namespace nat::signaling::io
