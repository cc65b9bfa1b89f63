#pragma once

// Answers to a TURN or Binding request as the fuzz input wants them: right, wrong, odd, signed with
// the real key or not, so that a fuzzer gets past the authentication.

#include <array>
#include <optional>

#include "stun/credentials.hpp"
#include "stun/message.hpp"
#include "tests/fuzz/input.hpp"

namespace nat::fuzz {

inline void put_addresses(stun::message_writer& out, input& in) {
  const auto which = in.octet();
  if (which & 1) out.put<stun::attr::xor_relayed_address>(*parse_endpoint("198.51.100.9:50000"));
  if (which & 2) out.put<stun::attr::xor_relayed_address>(*parse_endpoint("[2001:db8:9::9]:1"));
  if (which & 4) out.put<stun::attr::xor_relayed_address>(peer_of(in));
  if (which & 8) out.put<stun::attr::xor_mapped_address>(peer_of(in));
  if (which & 16) out.put<stun::attr::lifetime>(std::uint32_t{in.octet()} << in.below(25));
  if (which & 32) out.put<stun::attr::alternate_server>(peer_of(in));
  if (which & 64) out.put<stun::attr::data>(in.some());
}

inline std::optional<bytes> answer(byte_view request, input& in) {
  const auto view = stun::message_view::parse(request);
  if (!view) return std::nullopt;
  static constexpr std::array<int, 16> codes{0,   0,   401, 438, 300, 400, 403, 420,
                                             437, 440, 441, 443, 486, 500, 508, 699};
  const int code = codes[in.below(codes.size())];
  std::array<std::byte, 1500> buffer;
  const auto kind = code == 0 ? stun::kind::success : stun::kind::error;
  stun::message_writer out(buffer, {view->type().method, kind}, view->id());
  if (code != 0) out.put<stun::attr::error_code>({code, "fuzz"});
  if (code == 401 || code == 438) {
    static constexpr std::array<const char*, 4> nonces{"n", "m", "obMatJos2gAAAx",
                                                       "obMatJos2wAAAx"};
    const auto how = in.octet();
    out.put<stun::attr::realm>((how & 1) != 0 ? "r" : "s").put<stun::attr::nonce>(nonces[how >> 6]);
    if (how & 2) out.put<stun::attr::password_algorithms>(stun::offered_algorithms());
  }
  put_addresses(out, in);
  const auto sign = in.below(4);
  if (sign == 3) {
    const auto wire = out.finish();
    return wire ? std::optional(to_bytes(*wire)) : std::nullopt;
  }
  const bool sha256 = sign == 1;
  const auto key = stun::make_long_term_key(
      sha256 ? stun::password_algorithm::sha256 : stun::password_algorithm::md5, "u",
      sign == 2 ? "s" : "r", "p");
  const auto wire =
      out.finish_signed(key.view(), sha256 ? stun::integrity::sha256 : stun::integrity::sha1);
  return wire ? std::optional(to_bytes(*wire)) : std::nullopt;
}

}  // namespace nat::fuzz
