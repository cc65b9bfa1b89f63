#pragma once

// What `nat` found out, as an event for scripts and as lines for people.

#include <optional>
#include <string>
#include <vector>

#include "ice/portmap/mapper.hpp"
#include "peer-cli/commands/nat_file.hpp"
#include "peer-cli/commands/words.hpp"
#include "peer-cli/io/behavior_probe.hpp"

namespace nat::commands {

// The fields of the event `nat`: one address family. `others`: runs to hold this one against.
[[nodiscard]] json nat_event(const peer_io::behavior_result&,
                             const std::vector<portmap::answered>& routers,
                             const std::vector<other_nat>& others);

// As much of these events as another peer's forecast needs, and no address: what a listener tells.
[[nodiscard]] std::string nat_answer(const std::vector<peer_io::behavior_result>&);

// The answer first, what it rests on after it.
[[nodiscard]] std::vector<std::string> nat_lines(const peer_io::behavior_result&,
                                                 const std::vector<portmap::answered>& routers,
                                                 const std::vector<other_nat>& others,
                                                 bool evidence);

}  // namespace nat::commands
