#pragma once

// The options of signaling-server as they were written, and what they mean.

#include <string>
#include <vector>

#include "signaling/io/options.hpp"

namespace nat::signaling::io {

struct raw_options {
  std::vector<std::string> listen, stun, origins, proxies, relay_allow, relay_deny, alternates;
  std::string external, admin = "127.0.0.1:9090", format = "text", secret_file,
                        relay_ports = "49152-65535";
  bool no_stun = false, turn = false, no_turn = false;
  double drain_delay = 0, register_timeout = 10, idle_timeout = 60, resume_window = 30,
         slow_timeout = 10;
  std::string cluster, cluster_user, cluster_password_file;
};

// Adds to `out`, which has all that needs no reading. Throws CLI::Error.
void interpret(options& out, const raw_options&);

}  // namespace nat::signaling::io
