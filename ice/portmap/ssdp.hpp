#pragma once

// Finding the gateway's UPnP description (UPnP Device Architecture 1.1, 1.3): the search, and what
// may be taken from an answer.

#include <optional>

#include "ice/portmap/http.hpp"

namespace nat::portmap::ssdp {

inline constexpr std::uint16_t port = 1900;

// 239.255.255.250 or ff02::c.
[[nodiscard]] endpoint group(bool v4) noexcept;
// To the group, or to the gateway alone.
[[nodiscard]] bytes search(const endpoint& to);

// Where the description is. None unless it is at `responder` itself: whoever answers must not send
// us anywhere else.
[[nodiscard]] std::optional<http::url> read(byte_view datagram, const address& responder);

}  // namespace nat::portmap::ssdp
