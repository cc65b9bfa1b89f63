#pragma once

// The command line of signaling-server (CLI.md).

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "signaling/hub/limits.hpp"
#include "signaling/io/cluster_options.hpp"
#include "signaling/io/log.hpp"
#include "stun/turn/prefix.hpp"

namespace nat::signaling::io {

struct options {
  std::vector<endpoint> listen, stun, stun_alternate;
  bool listen_given = false,
       stun_given = false;  // else: the defaults, of which IPv6 may be missing
  std::optional<address> external_address;
  std::vector<std::string> ice_servers;
  std::string turn_secret;  // empty: random
  bool turn = true;
  std::uint16_t relay_low = 49152, relay_high = 65535;
  std::vector<turn::prefix> relay_allow, relay_deny;
  std::size_t max_allocations = 10'000, max_allocations_per_name = 64,
              max_allocations_per_address = 256;
  std::string tls_certificate, tls_key;  // files; empty: no TLS
  std::string tls_name;                  // empty: the certificate's first
  std::string token_file;                // empty: tokens, or anyone
  std::optional<std::string> tokens;     // SIGNALING_TOKENS
  std::vector<std::string> jwt_keys;     // files
  std::string jwt_audience, jwt_names_claim = "sub";
  std::vector<std::string> allowed_origins;  // as browsers write them
  std::vector<turn::prefix> trusted_proxies;
  std::optional<cluster_url> cluster;
  std::string cluster_user, cluster_password;
  std::string cluster_ca;  // file; empty: the system's
  std::optional<endpoint> admin;
  unsigned threads = 1;
  std::string log_level = "info";
  log_format format = log_format::text;
  hub::limits limits;
  std::string ready_file;
  std::chrono::milliseconds drain_delay{0};
  bool check_only = false;  // say whether all this is good, and end
};

// Otherwise: what to print where, and the exit status (0 for --help and --version).
struct early_exit {
  int status;
  std::string text;
};
[[nodiscard]] std::expected<options, early_exit> read_options(int argc, const char* const* argv);

}  // namespace nat::signaling::io
