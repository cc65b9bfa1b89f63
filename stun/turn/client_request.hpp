#pragma once

// One request of the TURN client that waits for its answer.

#include <optional>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/time.hpp"
#include "stun/message.hpp"
#include "stun/transaction.hpp"
#include "stun/turn/client_credentials.hpp"

namespace nat::turn {

enum class purpose : std::uint8_t {
  allocate,
  refresh,
  discard,  // Refresh with lifetime 0 after a 437: a left-over allocation of ours on this port
  release,  // Refresh with lifetime 0, the last one
  permit,
  bind,
};

[[nodiscard]] constexpr stun::method method_of(purpose why) noexcept {
  switch (why) {
    case purpose::allocate:
      return stun::method::allocate;
    case purpose::refresh:
    case purpose::discard:
    case purpose::release:
      return stun::method::refresh;
    case purpose::permit:
      return stun::method::create_permission;
    case purpose::bind:
      return stun::method::channel_bind;
  }
  return stun::method::refresh;
}

// What is asked, apart from transaction, credentials and time.
struct question {
  purpose why = purpose::allocate;
  std::vector<address> peers{};  // permit
  endpoint peer{};               // bind
  std::uint16_t number = 0;      // bind
  unsigned challenges = 0;       // how often 401 or 438 has sent it back already
};

struct request {
  question what;
  stun::transaction_id id;
  bytes wire;
  std::optional<signing_key> key;  // absent: sent unsigned, so the answer need not be signed
  stun::retransmit_timer timer;
  time_point sent;
  // The code of an error answer that was dropped because nobody signed it: for the explanation
  // when nothing better comes.
  int unsigned_error = 0;
};

}  // namespace nat::turn
