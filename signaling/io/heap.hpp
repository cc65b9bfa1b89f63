#pragma once

// What the program has allocated and not freed, in octets; for those who suspect it of growing.

#include <cstddef>

namespace nat::signaling::io {

[[nodiscard]] std::size_t heap_bytes();

}  // namespace nat::signaling::io
