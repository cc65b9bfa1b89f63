#pragma once

// An assert that stays on in release. It states what this program's own code guarantees;
// no input from outside can reach one.

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace nat {

constexpr void ensure(bool holds,
                      std::source_location at = std::source_location::current()) noexcept {
  if (holds) [[likely]]
    return;
  std::fprintf(stderr, "bug: a guarantee does not hold at %s:%u (%s)\n", at.file_name(),
               static_cast<unsigned>(at.line()), at.function_name());
  std::abort();
}

}  // namespace nat
