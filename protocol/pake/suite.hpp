#pragma once

// The functions of CPACE-RISTR255-SHA512 (draft-irtf-cfrg-cpace-21, 7 and 8.3) by libsodium, whose
// scalar multiplication and hash-to-group take the same time whatever the secrets are.

#include <array>
#include <initializer_list>
#include <optional>

#include "protocol/base/bytes.hpp"

namespace nat::pake {

using element = std::array<std::byte, 32>;  // an encoded group element
using scalar = std::array<std::byte, 32>;   // little endian
using hash = std::array<std::byte, 64>;     // SHA-512, and HMAC with it

// Each part with its length before it, in LEB128 (draft, A.1.1).
[[nodiscard]] bytes lv_cat(std::initializer_list<byte_view> parts);

[[nodiscard]] element generator(byte_view password, byte_view channel, byte_view session);
// nullopt: `point` encodes no element, or the result is the neutral one. The run must end then.
[[nodiscard]] std::optional<element> multiply(const scalar&, const element& point);
// ISK of the initiator/responder setting; `transcript` is lv_cat(Ya, ADa) and lv_cat(Yb, ADb).
[[nodiscard]] hash session_key(byte_view session, const element& shared, byte_view transcript);
// The tag that proves possession of ISK: over the message that its sender has sent (draft, 10.4).
[[nodiscard]] hash confirmation_tag(byte_view session, const hash& session_key, byte_view sent);

void wipe(byte_span secret) noexcept;
[[nodiscard]] bool equal_constant_time(const hash&, const hash&) noexcept;

}  // namespace nat::pake
