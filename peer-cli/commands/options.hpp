#pragma once

// The command line as values, checked. See --help for what each means.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/peer.hpp"

namespace nat::commands {

enum class verb : std::uint8_t { listen, connect, check, stun, gather };

struct options {
  verb command = verb::listen;
  std::string target;                 // PEER
  std::string url;                    // of `stun`
  std::optional<std::string> expect;  // direct, relay
  bool keep = false;

  std::string server = "ws://127.0.0.1:8080";
  std::string id;
  bool id_given = false;
  std::optional<std::string> token, secret;
  std::string tls_ca;
  bool tls_insecure = false;
  std::vector<session::given_server> ice_servers;
  session::path_policy policy = session::path_policy::all;
  std::vector<address> bind;
  std::uint16_t port_low = 0, port_high = 0;
  double timeout_seconds = 30;

  bool json = false;
  int json_descriptor =
      -1;             // -1: standard output, or standard error for commands that carry payload
  int verbosity = 0;  // -1 quiet, 0, 1 verbose
};

// What the process should do at once instead of running: after --help, --version or a usage error.
struct early_exit {
  int status;
};

// Throws early_exit; whatever is to be said has been printed.
[[nodiscard]] options parse_options(int argc, char** argv);

[[nodiscard]] peer_io::runtime_options runtime_options_of(const options&);
[[nodiscard]] session::peer_config peer_config_of(const options&);

}  // namespace nat::commands
