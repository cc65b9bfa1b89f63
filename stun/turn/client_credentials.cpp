#include "stun/turn/client_credentials.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/hmac.hpp"

namespace nat::turn {
namespace {

constexpr std::string_view cookie = "obMatJos2";  // RFC 8489, 9.2

std::optional<std::uint32_t> base64_24_bits(std::string_view four) noexcept {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::uint32_t value = 0;
  for (const char c : four) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = (value << 6) | static_cast<std::uint32_t>(digit);
  }
  return value;
}

// The first algorithm of the server's list that is known here: RFC 8489, 9.2.5 and 14.11.
std::optional<stun::password_algorithm> choose(byte_view list) noexcept {
  while (list.size() >= 4) {
    const auto number = load_be<std::uint16_t>(list, 0);
    const std::size_t parameters = (load_be<std::uint16_t>(list, 2) + 3U) & ~3U;
    if (number == 1) return stun::password_algorithm::md5;
    if (number == 2) return stun::password_algorithm::sha256;
    list = list.subspan(std::min(list.size(), 4 + parameters));
  }
  return std::nullopt;
}

template <std::size_t N>
signing_key make_key(const std::array<std::byte, N>& digest, stun::integrity kind) {
  signing_key key{.size = N, .kind = kind};
  std::ranges::copy(digest, key.octets.begin());
  return key;
}

}  // namespace

nonce_features read_nonce_cookie(std::string_view nonce) noexcept {
  if (!nonce.starts_with(cookie) || nonce.size() < cookie.size() + 4) return {};
  const auto bits = base64_24_bits(nonce.substr(cookie.size(), 4));
  if (!bits) return {};
  // RFC 8489, 18.1 counts bits from the left, its appendix B.1 (and erratum 6290) from the right.
  // Only two bits are assigned, so both readings can be had at once.
  return {.password_algorithms = (*bits & 0x800001) != 0,
          .username_anonymity = (*bits & 0x400002) != 0};
}

long_term_credentials::long_term_credentials(std::string username, std::string password)
    : username_(std::move(username)), password_(std::move(password)) {
  if (username_.size() > max_username) username_.resize(max_username);
}

bool long_term_credentials::take_challenge(const stun::message_view& challenge) {
  const auto nonce = challenge.get<stun::attr::nonce>();
  const auto realm = challenge.get<stun::attr::realm>();
  const auto list = challenge.get<stun::attr::password_algorithms>();
  if (!nonce || nonce->empty() || nonce->size() > max_nonce) return false;
  if (realm ? realm->size() > max_realm : !ready()) return false;
  const auto features = read_nonce_cookie(*nonce);
  // RFC 8489, 9.2.5: the list was announced and is missing, so somebody took it out.
  if (features.password_algorithms && !list) return false;
  std::optional<stun::password_algorithm> chosen;
  if (list) {
    chosen = choose(*list);
    if (!chosen || list->size() > max_algorithms) return false;
  }
  nonce_ = *nonce;
  if (realm) realm_ = *realm;
  algorithm_ = chosen;
  algorithms_ = list ? to_bytes(*list) : bytes{};
  userhash_.reset();
  if (features.username_anonymity) {
    userhash_ = crypto::sha256({as_bytes(username_), as_bytes(":"), as_bytes(realm_)});
  }
  derive_key();
  return true;
}

// RFC 8489, 9.2.2 and 18.5.
void long_term_credentials::derive_key() {
  const std::initializer_list<byte_view> parts{as_bytes(username_), as_bytes(":"), as_bytes(realm_),
                                               as_bytes(":"), as_bytes(password_)};
  if (!algorithm_) {
    key_ = make_key(crypto::md5(parts), stun::integrity::sha1);
  } else if (*algorithm_ == stun::password_algorithm::md5) {
    key_ = make_key(crypto::md5(parts), stun::integrity::sha256);
  } else {
    key_ = make_key(crypto::sha256(parts), stun::integrity::sha256);
  }
}

void long_term_credentials::put_into(stun::message_writer& out) const {
  if (userhash_) {
    out.put<stun::attr::userhash>(byte_view(*userhash_));
  } else {
    out.put<stun::attr::username>(username_);
  }
  out.put<stun::attr::realm>(realm_).put<stun::attr::nonce>(nonce_);
  if (algorithm_) {
    out.put<stun::attr::password_algorithms>(byte_view(algorithms_));
    out.put<stun::attr::password_algorithm>(*algorithm_);
  }
}

}  // namespace nat::turn
