#pragma once

// Words for raw bytes, and the two harmless views between bytes and text.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace nat {

using byte_view = std::span<const std::byte>;
using byte_span = std::span<std::byte>;
using bytes = std::vector<std::byte>;

[[nodiscard]] inline byte_view as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

[[nodiscard]] inline std::string_view as_text(byte_view octets) noexcept {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

[[nodiscard]] inline bytes to_bytes(byte_view octets) {
  return {octets.begin(), octets.end()};
}

}  // namespace nat
