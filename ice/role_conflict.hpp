#pragma once

// Both ends think they have the same role: RFC 8445, 7.3.1.1 (a request shows it) and 7.2.5.1 (a
// 487 tells it).

#include <cstdint>

#include "ice/candidate.hpp"

namespace nat::ice {

enum class conflict : std::uint8_t { none, switch_role, answer_487 };

[[nodiscard]] conflict resolve_conflict(role mine, std::uint64_t my_tie_breaker, role theirs,
                                        std::uint64_t their_tie_breaker) noexcept;

[[nodiscard]] constexpr role other(role r) noexcept {
  return r == role::controlling ? role::controlled : role::controlling;
}

}  // namespace nat::ice
