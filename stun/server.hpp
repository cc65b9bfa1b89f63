#pragma once

// The server side of Binding, RFC 8489, 6.3 and 12: a request in, an answer out, no state. Requests
// are not authenticated (12: a public server has nothing to protect). No RFC 5780: requests that
// ask for an answer from or to another place are refused with 420, since a plain answer would
// mislead whoever tests a NAT with them.

#include <optional>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::stun {

// No answer is longer: 20 of header, 8 ERROR-CODE, 20 UNKNOWN-ATTRIBUTES, 8 FINGERPRINT.
inline constexpr std::size_t max_binding_answer = 56;

// The answer to send to `from` and nobody else, in `out`; nullopt: none, for anything that is not a
// well-formed Binding request. 20 octets bring 32 back over IPv4 and 44 over IPv6: the header and
// XOR-MAPPED-ADDRESS, no SOFTWARE; FINGERPRINT only where the request had one.
[[nodiscard]] std::optional<byte_view> answer(byte_view request, const endpoint& from,
                                              byte_span out) noexcept;

}  // namespace nat::stun
