#include "protocol/base/endpoint.hpp"

#include <algorithm>
#include <charconv>

#include "protocol/base/big_endian.hpp"

namespace nat {
namespace {

std::optional<address> parse_v4(std::string_view text) noexcept {
  address out;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto end = i < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos || end == 0 || end > 3) return std::nullopt;
    if (end > 1 && text[0] == '0') return std::nullopt;  // leading zeros read as octal elsewhere
    unsigned value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value);
    if (error != std::errc{} || stop != text.data() + end || value > 255) return std::nullopt;
    out.octets[i] = static_cast<std::byte>(value);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// The 16-bit groups of one side of "::"; the last side may end in dotted decimals (RFC 4291, 2.2).
// Returns how many were written.
std::optional<std::size_t> parse_groups(std::string_view text, bool last,
                                        std::span<std::uint16_t, 8> out) {
  std::size_t count = 0;
  while (!text.empty()) {
    const auto colon = text.find(':');
    const auto group = text.substr(0, colon);
    if (last && colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(group);
      if (!v4 || count > 6) return std::nullopt;
      out[count++] = load_be<std::uint16_t>(v4->view(), 0);
      out[count++] = load_be<std::uint16_t>(v4->view(), 2);
      return count;
    }
    if (group.empty() || group.size() > 4 || count == 8) return std::nullopt;
    const auto [stop, error] =
        std::from_chars(group.data(), group.data() + group.size(), out[count], 16);
    if (error != std::errc{} || stop != group.data() + group.size()) return std::nullopt;
    ++count;
    if (colon == std::string_view::npos) return count;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;  // a trailing single colon
  }
  return count;
}

std::optional<address> parse_v6(std::string_view text) noexcept {
  std::array<std::uint16_t, 8> head{}, tail{}, groups{};
  const auto gap = text.find("::");
  const bool abridged = gap != std::string_view::npos;
  const auto head_count = parse_groups(text.substr(0, gap), !abridged, head);
  if (!head_count) return std::nullopt;
  std::size_t tail_count = 0;
  if (!abridged) {
    if (*head_count != 8) return std::nullopt;
  } else {
    const auto parsed = parse_groups(text.substr(gap + 2), true, tail);
    if (!parsed || *head_count + *parsed > 7) return std::nullopt;
    tail_count = *parsed;
  }
  std::copy_n(head.begin(), *head_count, groups.begin());
  std::copy_n(tail.begin(), tail_count, groups.end() - static_cast<std::ptrdiff_t>(tail_count));
  address out{.v4 = false};
  for (std::size_t i = 0; i < 8; ++i) store_be(byte_span(out.octets), 2 * i, groups[i]);
  return out;
}

bool has_prefix(const address& a, bool v4, std::uint32_t first32, unsigned bits) noexcept {
  if (a.v4 != v4) return false;
  const auto mask = bits == 0 ? 0U : ~std::uint32_t{0} << (32U - bits);
  return (load_be<std::uint32_t>(a.octets) & mask) == (first32 & mask);
}

}  // namespace

address make_v4(std::uint32_t host_order) noexcept {
  address out;
  store_be(byte_span(out.octets), 0, host_order);
  return out;
}

address make_v6(byte_view sixteen_octets) noexcept {
  address out{.v4 = false};
  std::copy_n(sixteen_octets.begin(), 16, out.octets.begin());
  return out;
}

std::optional<address> parse_address(std::string_view text) noexcept {
  if (text.size() > 45) return std::nullopt;
  return text.find(':') == std::string_view::npos ? parse_v4(text) : parse_v6(text);
}

std::string to_string(const address& a) {
  std::string out;
  if (a.v4) {
    for (const auto octet : a.view()) {
      if (!out.empty()) out += '.';
      out += std::to_string(std::to_integer<unsigned>(octet));
    }
    return out;
  }
  if (const auto inner = unmapped(a); inner.v4) return "::ffff:" + to_string(inner);
  // RFC 5952, 4.2: the first longest run of two or more zero groups becomes "::".
  std::array<std::uint16_t, 8> groups;
  for (std::size_t i = 0; i < 8; ++i) groups[i] = load_be<std::uint16_t>(a.octets, 2 * i);
  std::size_t best = 8, best_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) best = i, best_length = end - i;
    i = std::max(end, i + 1);
  }
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    char text[4];
    const auto end = std::to_chars(text, text + 4, groups[i], 16).ptr;
    out.append(text, end);
  }
  return out;
}

std::optional<endpoint> parse_endpoint(std::string_view text) noexcept {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = parse_address(host);
  if (!ip || ip->v4 == bracketed) return std::nullopt;
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || stop != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return endpoint{*ip, port};
}

std::string to_string(const endpoint& e) {
  const auto host = to_string(e.ip);
  return (e.ip.v4 ? host : '[' + host + ']') + ':' + std::to_string(e.port);
}

std::string_view to_string(transport t) noexcept {
  return t == transport::udp ? "udp" : "tcp";
}

bool is_unspecified(const address& a) noexcept {
  return std::ranges::all_of(a.octets, [](std::byte b) { return b == std::byte{}; });
}

bool is_loopback(const address& a) noexcept {
  if (a.v4) return has_prefix(a, true, 0x7f000000, 8);
  address one{.v4 = false};
  one.octets[15] = std::byte{1};
  return a == one;
}

bool is_link_local(const address& a) noexcept {
  return has_prefix(a, true, 0xa9fe0000, 16) || has_prefix(a, false, 0xfe800000, 10);
}

bool is_multicast(const address& a) noexcept {
  return has_prefix(a, true, 0xe0000000, 4) || has_prefix(a, false, 0xff000000, 8);
}

bool is_private(const address& a) noexcept {
  return has_prefix(a, true, 0x0a000000, 8) || has_prefix(a, true, 0xac100000, 12) ||
         has_prefix(a, true, 0xc0a80000, 16) || has_prefix(a, true, 0x64400000, 10) ||
         has_prefix(a, false, 0xfc000000, 7);
}

address unmapped(const address& a) noexcept {
  static constexpr std::array<std::byte, 12> prefix = [] {
    std::array<std::byte, 12> p{};
    p[10] = p[11] = std::byte{0xff};
    return p;
  }();
  if (a.v4 || !std::equal(prefix.begin(), prefix.end(), a.octets.begin())) return a;
  return make_v4(load_be<std::uint32_t>(a.octets, 12));
}

}  // namespace nat
