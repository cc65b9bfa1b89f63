#include "stun/turn/nonce.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/hmac.hpp"
#include "stun/turn/base64.hpp"

namespace nat::turn {
namespace {

constexpr std::size_t body_size = 18;  // 4 octets of time, 14 of hash

using body = std::array<std::byte, body_size>;

body sign(const nonce_key& key, const address& client, std::uint32_t seconds,
          std::string_view cookie) noexcept {
  body out;
  store_be(byte_span(out), 0, seconds);
  const auto digest =
      crypto::hmac_sha256(key, {byte_view(out).first(4), client.view(), as_bytes(cookie)});
  std::copy_n(digest.begin(), body_size - 4, out.begin() + 4);
  return out;
}

}  // namespace

nonce make_nonce(const nonce_key& key, const address& client, std::uint32_t seconds,
                 stun::security_features features) noexcept {
  const auto cookie = stun::make_nonce_cookie(features);
  nonce out;
  std::ranges::copy(cookie, out.text.begin());
  base64_whole(sign(key, client, seconds, {cookie.data(), cookie.size()}),
               out.text.data() + cookie.size());
  return out;
}

nonce_verdict check_nonce(const nonce_key& key, std::string_view text, const address& client,
                          std::uint32_t seconds, std::uint32_t lifetime_seconds) noexcept {
  body given;
  if (text.size() != nonce_size || !unbase64_whole(text.substr(stun::nonce_cookie_size), given)) {
    return nonce_verdict::foreign;
  }
  const auto made = load_be<std::uint32_t>(given);
  const auto cookie = text.substr(0, stun::nonce_cookie_size);
  if (!crypto::equal_constant_time(sign(key, client, made, cookie), given)) {
    return nonce_verdict::foreign;
  }
  // Signed: a time ahead of ours, from a server whose clock is, counts as just made.
  const auto age = static_cast<std::int32_t>(seconds - made);
  return age < static_cast<std::int32_t>(lifetime_seconds) ? nonce_verdict::valid
                                                           : nonce_verdict::stale;
}

}  // namespace nat::turn
