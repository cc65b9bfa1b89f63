#pragma once

// The origins of web pages as browsers write them (RFC 6454, 6.2): scheme, host and port, in lower
// case, without the port that the scheme has by itself.

#include <expected>
#include <string>
#include <string_view>

namespace nat::hub {

// As a browser would send it in `Origin`. "null" (RFC 6454, 7.1: a page without an origin, such as
// a file) stays. The error says what is wrong, as a sentence without its subject.
[[nodiscard]] std::expected<std::string, std::string> canonical_origin(std::string_view);

}  // namespace nat::hub
