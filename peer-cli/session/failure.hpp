#pragma once

// Why a command ends, in the words and numbers of the command line's contract.

#include <cstdint>
#include <string>

namespace nat::session {

enum class exit_status : std::uint8_t {
  done = 0,
  internal = 1,
  usage = 2,
  signaling = 3,    // the signaling server is unreachable, or it refused us
  peer_absent = 4,  // the peer is not there, or did not answer in time
  no_path = 5,      // every candidate pair failed
  wrong_peer = 6,   // secret, fingerprint or token mismatch
  path_lost = 7,    // it had worked, and no other path was found
  unexpected = 8,   // connected, but not as --expect asks
  interrupted = 130,
};

struct failure {
  exit_status status = exit_status::internal;
  std::string code;     // for scripts: "peer-not-found"
  std::string message;  // for people: what happened and what to do next
};

}  // namespace nat::session
