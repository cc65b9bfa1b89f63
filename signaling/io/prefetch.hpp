#pragma once

#include <cstddef>

namespace nat::signaling::io {

// Has the processor fetch an object that will be wanted soon. Any address will do, nullptr too.
inline void prefetch(const void* object, std::size_t size) noexcept {
  constexpr std::size_t cache_line = 64;
  for (std::size_t at = 0; at < size; at += cache_line) {
    __builtin_prefetch(static_cast<const char*>(object) + at, 1);
  }
}

}  // namespace nat::signaling::io
