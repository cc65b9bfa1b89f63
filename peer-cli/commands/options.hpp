#pragma once

// The command line as values, checked. See --help for what each means.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/peer.hpp"

namespace nat::commands {

enum class verb : std::uint8_t { listen, connect, check, ping, bench, stun, nat, gather };

struct options {
  verb command = verb::listen;
  std::string target;                 // PEER; of `nat`: the one that --with names
  std::string url;                    // of `stun` and `nat`
  std::string with;                   // of `nat`: a file with another run's result
  bool lifetime = false;              // of `nat`
  std::optional<std::string> expect;  // direct, relay
  bool keep = false;
  std::optional<std::uint64_t> count;  // of pings
  double interval_seconds = 1;         // between them
  bool until_direct = false;
  double length_seconds = 5;    // of a bench
  bool up = true, down = true;  // its directions, from here

  std::string server = "ws://127.0.0.1:8080";
  std::string id;
  bool id_given = false;
  std::optional<std::string> token, secret;
  std::string token_file;  // where `token` is from, if it can be read again
  std::string tls_ca;
  bool tls_insecure = false;
  std::vector<session::given_server> ice_servers;
  session::path_policy policy = session::path_policy::all;
  bool no_port_mapping = false;
  std::vector<address> bind;
  std::uint16_t port_low = 0, port_high = 0;
  double timeout_seconds = 30;

  bool json = false;
  int json_descriptor =
      -1;             // -1: standard output, or standard error for commands that carry payload
  int verbosity = 0;  // -1 quiet, 0, 1 verbose

  [[nodiscard]] duration timeout() const { return of(timeout_seconds); }
  [[nodiscard]] duration interval() const { return of(interval_seconds); }
  [[nodiscard]] duration length() const { return of(length_seconds); }

 private:
  static duration of(double seconds) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
  }
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
