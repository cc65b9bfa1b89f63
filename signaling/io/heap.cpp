#include "signaling/io/heap.hpp"

#include <malloc.h>

// A sanitizer's allocator, where there is one, takes the place of the one that mallinfo2() asks.
extern "C" [[gnu::weak]] std::size_t __sanitizer_get_current_allocated_bytes();

namespace nat::signaling::io {

std::size_t heap_bytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) {
    return __sanitizer_get_current_allocated_bytes();
  }
  const auto all = ::mallinfo2();
  return all.uordblks + all.hblkhd;
}

}  // namespace nat::signaling::io
