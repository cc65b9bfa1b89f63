#pragma once

// What the program has allocated and not freed, in octets, and what an allocator's caches of
// threads keep; for those who suspect it of growing. All that is free is walked through: after
// 100,000 connections have gone, that can take tens of milliseconds.

#include <cstddef>

namespace nat::signaling::io {

[[nodiscard]] std::size_t heap_bytes();

}  // namespace nat::signaling::io
