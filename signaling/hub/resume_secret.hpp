#pragma once

// What takes a name back within the resume window (SIGNALING.md, "Messages"): made by the
// server, 144 bits as text, kept by it as a hash only.

#include <string>
#include <string_view>

#include "protocol/base/random.hpp"

namespace nat::hub {

// Longer texts are none of ours, and not worth a hash or a place in a queue.
inline constexpr std::size_t max_resume_length = 64;

[[nodiscard]] inline std::string new_resume_secret(random_source& random) {
  constexpr std::size_t length = 24;  // characters of 6 bits
  return random_text(random, length);
}

}  // namespace nat::hub
