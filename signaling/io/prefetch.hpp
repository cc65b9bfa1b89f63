#pragma once

#include <cstddef>
#include <cstdint>

namespace nat::signaling::io {

// How many objects before its turn one is fetched.
inline constexpr std::size_t prefetched_ahead = 8;

// Has the processor fetch memory that will be wanted soon. Any address will do, nullptr too.
inline void prefetch(const void* where, std::size_t size) noexcept {
  constexpr std::size_t cache_line = 64;
  const auto first = reinterpret_cast<std::uintptr_t>(where);
  for (std::size_t at = 0; at < size; at += cache_line) {
    __builtin_prefetch(reinterpret_cast<const void*>(first + at), 1);
  }
}

}  // namespace nat::signaling::io
