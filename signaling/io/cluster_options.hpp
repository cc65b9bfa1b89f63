#pragma once

// --cluster redis://HOST[:PORT][/DATABASE], or rediss:// for TLS.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace nat::signaling::io {

struct cluster_url {
  std::string host;
  std::uint16_t port = 6379;
  unsigned database = 0;
  bool tls = false;
};
// Otherwise: a sentence that says what is wrong with it, and repeats nothing of it.
[[nodiscard]] std::expected<cluster_url, std::string> parse_cluster_url(std::string_view);

}  // namespace nat::signaling::io
