#include "stun/credentials.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/hmac.hpp"

namespace nat::stun {
namespace {

constexpr std::string_view cookie_prefix = "obMatJos2";  // RFC 8489, 9.2
constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// RFC 8489, 9.2 counts bits from the left, its appendix B.1 and the verified erratum 6290 from the
// right, and servers of both kinds exist. Written as the erratum says; read in either place, which
// can't be mistaken while only these two are assigned.
constexpr std::uint32_t algorithms_bit = 0x000001, algorithms_bit_left = 0x800000;
constexpr std::uint32_t anonymity_bit = 0x000002, anonymity_bit_left = 0x400000;

// One code point off the front of UTF-8 text; nullopt: it is not UTF-8 (RFC 3629).
std::optional<char32_t> take_code_point(std::string_view& text) noexcept {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = octet(0);
  const std::size_t size = first < 0x80             ? 1
                           : (first & 0xe0) == 0xc0 ? 2
                           : (first & 0xf0) == 0xe0 ? 3
                           : (first & 0xf8) == 0xf0 ? 4
                                                    : 0;
  if (size == 0 || size > text.size()) return std::nullopt;
  char32_t code = size == 1 ? first : first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return std::nullopt;
    code = (code << 6) | (octet(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < least[size] || code > 0x10ffff || surrogate) return std::nullopt;
  text.remove_prefix(size);
  return code;
}

// General category Zs, without U+0020.
bool is_other_space(char32_t code) noexcept {
  return code == 0x00a0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

bool is_control(char32_t code) noexcept {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

}  // namespace

std::optional<std::string> opaque_string(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto start = text;
    const auto code = take_code_point(text);
    if (!code || is_control(*code)) return std::nullopt;
    if (is_other_space(*code)) {
      out += ' ';
    } else {
      out += start.substr(0, start.size() - text.size());
    }
  }
  return out;
}

long_term_key make_long_term_key(password_algorithm algorithm, std::string_view username,
                                 std::string_view realm, std::string_view password) noexcept {
  const auto user = as_bytes(username), place = as_bytes(realm), secret = as_bytes(password);
  const auto colon = as_bytes(":");
  long_term_key key;
  const auto keep = [&](const auto& digest) {
    std::ranges::copy(digest, key.octets.begin());
    key.size = digest.size();
  };
  if (algorithm == password_algorithm::sha256) {
    keep(crypto::sha256({user, colon, place, colon, secret}));
  } else {
    keep(crypto::md5({user, colon, place, colon, secret}));
  }
  return key;
}

std::array<std::byte, 32> make_userhash(std::string_view username,
                                        std::string_view realm) noexcept {
  return crypto::sha256({as_bytes(username), as_bytes(":"), as_bytes(realm)});
}

std::array<char, nonce_cookie_size> make_nonce_cookie(security_features features) noexcept {
  const std::uint32_t bits = (features.password_algorithms ? algorithms_bit : 0) |
                             (features.username_anonymity ? anonymity_bit : 0);
  std::array<char, nonce_cookie_size> cookie{};
  std::ranges::copy(cookie_prefix, cookie.begin());
  for (std::size_t i = 0; i < 4; ++i) {
    cookie[cookie_prefix.size() + i] = base64_alphabet[(bits >> (18 - 6 * i)) & 0x3f];
  }
  return cookie;
}

std::optional<security_features> read_nonce_cookie(std::string_view nonce) noexcept {
  if (nonce.size() < nonce_cookie_size || !nonce.starts_with(cookie_prefix)) return std::nullopt;
  std::uint32_t bits = 0;
  for (const char c : nonce.substr(cookie_prefix.size(), 4)) {
    const auto at = base64_alphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(at);
  }
  return security_features{(bits & (algorithms_bit | algorithms_bit_left)) != 0,
                           (bits & (anonymity_bit | anonymity_bit_left)) != 0};
}

std::optional<password_algorithm> choose_algorithm(byte_view algorithms) noexcept {
  while (algorithms.size() >= 4) {
    const auto number = static_cast<password_algorithm>(load_be<std::uint16_t>(algorithms));
    const std::size_t parameters = load_be<std::uint16_t>(algorithms, 2);
    const auto size = 4 + ((parameters + 3) & ~std::size_t{3});
    if (size > algorithms.size()) return std::nullopt;
    const bool have = number == password_algorithm::md5 || number == password_algorithm::sha256;
    if (have && parameters == 0) return number;
    algorithms = algorithms.subspan(size);
  }
  return std::nullopt;
}

byte_view offered_algorithms() noexcept {
  static constexpr std::array<std::byte, 8> offer{std::byte{0}, std::byte{2}, {}, {},
                                                  std::byte{0}, std::byte{1}, {}, {}};
  return offer;
}

}  // namespace nat::stun
