#pragma once

// The server side of Binding, RFC 8489, 6.3 and 12, and of NAT behaviour discovery, RFC 5780, 6 and
// 7: a request in, an answer out, no state. Requests are not authenticated (12: a public server has
// nothing to protect), so an answer costs no more than its request does: see `answer` below.

#include <optional>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::stun {

// No plain answer is longer: 20 of header, 8 ERROR-CODE, 20 UNKNOWN-ATTRIBUTES, 8 FINGERPRINT.
inline constexpr std::size_t max_binding_answer = 56;

// The answer to send to `from` and nobody else, in `out`; nullopt: none, for anything that is not a
// well-formed Binding request. 20 octets bring 32 back over IPv4 and 44 over IPv6: the header and
// XOR-MAPPED-ADDRESS, no SOFTWARE; FINGERPRINT only where the request had one. Requests with
// attributes of RFC 5780 are refused with 420: a plain answer would mislead whoever tests a NAT.
[[nodiscard]] std::optional<byte_view> answer(byte_view request, const endpoint& from,
                                              byte_span out) noexcept;

// Which of the four sockets that RFC 5780 asks for (4.1, 6): one on each pair of primary or
// alternate address and primary or alternate port.
struct server_door {
  bool alternate_ip = false, alternate_port = false;
  bool operator==(const server_door&) const = default;
};

// Both of one family, as clients see them; they differ in address and in port.
struct behavior_addresses {
  endpoint primary, alternate;

  [[nodiscard]] endpoint at(const server_door& door) const noexcept {
    return {(door.alternate_ip ? alternate : primary).ip,
            (door.alternate_port ? alternate : primary).port};
  }
};

// Padding beyond this is answered with this much: an answer in two fragments over Ethernet.
inline constexpr std::size_t max_answer_padding = 1500;
// Room for any answer: the header, three IPv6 addresses, PADDING and FINGERPRINT.
inline constexpr std::size_t max_behavior_answer = 20 + 3 * 24 + 4 + max_answer_padding + 8;

struct behavior_reply {
  byte_view data;       // in `out`
  server_door through;  // the socket to send it from
  endpoint to;          // the sender's own address; the port is another with RESPONSE-PORT
};

// As `answer`, by a server that listens at all four doors. `at` is the one that the request came
// in by, `from` its sender. Over UDP only: RFC 5780's attributes mean nothing on a connection.
//
// Counted as IP datagrams, no answer is larger than half again its request, so no spoofed source is
// worth an attacker's while. What does not fit is left out: XOR-MAPPED-ADDRESS comes first, then
// OTHER-ADDRESS, RESPONSE-ORIGIN, and PADDING as long as the request's. Over
// IPv4 a bare request (20 octets) gets the first two and one of 28 octets all three; over IPv6 that
// takes 32 and 48 octets. 400 answers RESPONSE-PORT beside PADDING (7.5), RESPONSE-PORT 0
// and values that can't be read.
[[nodiscard]] std::optional<behavior_reply> answer(byte_view request, const endpoint& from,
                                                   const server_door& at, const behavior_addresses&,
                                                   byte_span out) noexcept;

}  // namespace nat::stun
