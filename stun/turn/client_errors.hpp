#pragma once

// What a TURN error code means to the person whose relay does not work: RFC 8489, 14.8;
// RFC 8656, 19. A fragment that completes "no relay: …".

#include <string>
#include <string_view>

namespace nat::turn {

// `code` as in refused: a STUN error code, 0 for no answer, -1 for a closed connection. `phrase` is
// the server's own, appended where it adds something: printable ASCII of it, at most 100
// characters, since it comes from the network and goes to a terminal.
[[nodiscard]] std::string explain(int code, std::string_view phrase = {});

}  // namespace nat::turn
