#pragma once

// The evidence: one question of a NAT test, and what came back. RFC 5780, 4.

#include <cstdint>
#include <optional>

#include "protocol/base/endpoint.hpp"
#include "protocol/base/time.hpp"
#include "stun/attributes.hpp"

namespace nat::behavior {

enum class purpose : std::uint8_t {
  mapping,    // one socket to several places (4.3)
  filtering,  // answers from places that were not asked (4.4)
  ports,      // sockets of which this is the first packet, in the order of their sending
  hairpin,    // to a mapping of our own (4.5)
  fragments,  // PADDING (4.7)
  lifetime,   // RESPONSE-PORT after a silence (4.6)
};

enum class outcome : std::uint8_t { pending, answered, refused, silent };

struct exchange {
  purpose why = purpose::mapping;
  endpoint local = {};  // the socket; its address is known once something has arrived there
  endpoint to = {};
  stun::change_value change{false, false};
  std::uint16_t response_port = 0;  // 0: not asked for
  bool padded = false;
  bool predicted = false;  // hairpin: to a mapping that was foreseen, not seen
  duration silence = {};   // lifetime: how long the mapping had been left alone

  outcome what = outcome::pending;
  int code = 0;  // refused: the STUN error
  std::optional<endpoint> from = {}, mapped = {}, other = {};
  unsigned sends = 0;
  duration rtt = {};  // since the first sending

  [[nodiscard]] bool answered() const { return what == outcome::answered; }
};

}  // namespace nat::behavior
