#pragma once

// What a report tells of a link, as JSON: its pairs, its timeline, the octets by path, the NAT.

#include <string>

#include "peer-cli/commands/words.hpp"
#include "peer-cli/session/link.hpp"
#include "peer-cli/session/nat_view.hpp"

namespace nat::commands {

[[nodiscard]] const char* state_name(ice::pair_state);  // frozen, waiting, in-progress …
[[nodiscard]] json pairs_of(const session::link&);
[[nodiscard]] json timeline_of(const session::link&);
[[nodiscard]] json bytes_of(const session::path_bytes&);
// The words of the event `nat`; what only its tests can tell is left out.
[[nodiscard]] json nat_of(const session::nat_view&);
[[nodiscard]] std::string nat_line(const session::nat_view&);  // the same for people

}  // namespace nat::commands
