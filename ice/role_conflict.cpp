#include "ice/role_conflict.hpp"

namespace nat::ice {

conflict resolve_conflict(role mine, std::uint64_t my_tie_breaker, role theirs,
                          std::uint64_t their_tie_breaker) noexcept {
  if (mine != theirs) return conflict::none;
  // The larger or equal tie-breaker controls.
  const bool should_control = my_tie_breaker >= their_tie_breaker;
  const bool controls = mine == role::controlling;
  return should_control == controls ? conflict::answer_487 : conflict::switch_role;
}

}  // namespace nat::ice
