#include "stun/turn/prefix.hpp"

#include <charconv>

namespace nat::turn {

bool prefix::contains(const address& a) const noexcept {
  if (a.v4 != base.v4) return false;
  const auto whole = bits / 8;
  for (std::size_t i = 0; i < whole; ++i) {
    if (a.octets[i] != base.octets[i]) return false;
  }
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::byte>(0xff00U >> (bits % 8));
  return (a.octets[whole] & mask) == (base.octets[whole] & mask);
}

std::optional<prefix> parse_prefix(std::string_view text) noexcept {
  const auto slash = text.find('/');
  const auto base = parse_address(text.substr(0, slash));
  if (!base) return std::nullopt;
  const unsigned most = base->v4 ? 32 : 128;
  prefix out{*base, most};
  if (slash == std::string_view::npos) return out;
  const auto digits = text.substr(slash + 1);
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), out.bits);
  if (error != std::errc{} || stop != digits.data() + digits.size() || out.bits > most) {
    return std::nullopt;
  }
  address masked = *base;
  for (unsigned i = 0; i < most / 8; ++i) {
    const auto kept = out.bits >= 8 * (i + 1) ? 8U : out.bits > 8 * i ? out.bits - 8 * i : 0U;
    masked.octets[i] &= static_cast<std::byte>(0xff00U >> kept);
  }
  if (masked != *base) return std::nullopt;
  return out;
}

}  // namespace nat::turn
