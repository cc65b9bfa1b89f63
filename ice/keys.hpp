#pragma once

// The credentials of both ends, and those from before a restart, which stay valid until the restart
// has found a path (RFC 8445, 9).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ice/candidate.hpp"

namespace nat::ice {

struct session_keys {
  std::uint32_t generation = 0;
  credentials local;
  std::optional<credentials> remote;
  std::string username;  // of our checks: "theirs:ours"
};

class key_ring {
 public:
  explicit key_ring(credentials local);

  // `in_use`: the generation of the selected pair. After a second restart before the first has
  // found a path it is that one's keys that are kept.
  void restart(credentials local, std::uint32_t in_use);
  void forget_previous() { previous_.reset(); }
  void set_remote(credentials);

  [[nodiscard]] const session_keys& current() const noexcept { return current_; }
  [[nodiscard]] bool has_previous() const noexcept { return previous_.has_value(); }
  // nullptr: neither the current nor the previous.
  [[nodiscard]] const session_keys* by_local_ufrag(std::string_view) const noexcept;
  [[nodiscard]] const session_keys* of(std::uint32_t generation) const noexcept;

 private:
  session_keys current_;
  std::optional<session_keys> previous_;
};

// Lengths as RFC 8839, 5.4 bounds them.
[[nodiscard]] bool is_well_formed(const credentials&) noexcept;

}  // namespace nat::ice
