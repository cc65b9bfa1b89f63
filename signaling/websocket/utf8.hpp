#pragma once

// Is this UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF)?

#include <cstddef>
#include <optional>
#include <string_view>

namespace nat::websocket {

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// For a text that has more to come: how many of its octets are whole characters. What follows them
// is the beginning of one more; nullopt: whatever comes, this will not be UTF-8.
[[nodiscard]] std::optional<std::size_t> whole_characters(std::string_view text) noexcept;

}  // namespace nat::websocket
