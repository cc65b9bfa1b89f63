#pragma once

// The small words of SDP's grammars (RFC 8866, 9; RFC 8839, 5), shared by the bodies in this
// folder.

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace nat::sdp::text {

[[nodiscard]] constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_alpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr bool is_ice_char(char c) noexcept {
  return is_digit(c) || is_alpha(c) || c == '+' || c == '/';
}
// token-char of RFC 8866: visible, less the separators that other grammars need.
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
  return c > ' ' && c < 0x7f &&
         std::string_view("\"(),/:;<=>?@[\\]").find(c) == std::string_view::npos;
}
// What a host name or an address consists of. '%' is not in it: an address with a zone names no
// place to anybody else.
[[nodiscard]] constexpr bool is_host_char(char c) noexcept {
  return is_digit(c) || is_alpha(c) || c == '.' || c == '-' || c == ':' || c == '_';
}

template <class Predicate>
[[nodiscard]] constexpr bool all(std::string_view word, std::size_t low, std::size_t high,
                                 Predicate is_allowed) noexcept {
  return word.size() >= low && word.size() <= high && std::ranges::all_of(word, is_allowed);
}

// The next blank-separated word, taken off the front of `rest`; empty at the end.
[[nodiscard]] constexpr std::string_view next_word(std::string_view& rest) noexcept {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

// Decimal digits and nothing else.
template <class Integer>
[[nodiscard]] std::optional<Integer> number(std::string_view word) noexcept {
  Integer value = 0;
  if (word.empty() || !is_digit(word.front())) return std::nullopt;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || stop != word.data() + word.size()) return std::nullopt;
  return value;
}

[[nodiscard]] constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace nat::sdp::text
