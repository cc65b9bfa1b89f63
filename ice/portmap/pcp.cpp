#include "ice/portmap/pcp.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"

namespace nat::portmap::pcp {
namespace {

constexpr std::uint8_t response_bit = 0x80;

// 5: "addresses are always 128 bits": IPv4 as ::ffff:0:0/96, also where it is unspecified.
void store_address(byte_span to, const address& a) noexcept {
  std::ranges::fill(to.first(16), std::byte{});
  if (!a.v4) {
    std::ranges::copy(a.octets, to.begin());
    return;
  }
  to[10] = to[11] = std::byte{0xff};
  std::ranges::copy(a.view(), to.begin() + 12);
}

}  // namespace

bytes write(const map_request& r) {
  bytes out(header_size + map_size);
  const byte_span span(out);
  store_be(span, 0, version);
  store_be(span, 1, static_cast<std::uint8_t>(opcode::map));
  store_be(span, 4, r.lifetime);
  store_address(span.subspan(8), r.client);
  const auto body = span.subspan(header_size);
  std::ranges::copy(r.id, body.begin());
  store_be(body, 12, udp_protocol);
  store_be(body, 16, r.internal_port);
  store_be(body, 18, r.suggested.port);
  store_address(body.subspan(20), r.suggested.ip);
  return out;
}

std::optional<response> read(byte_view in) noexcept {
  // 8.3: shorter than 24 octets, longer than 1100 or not of whole words: dropped.
  if (in.size() < header_size || in.size() > max_size || in.size() % 4 != 0) return std::nullopt;
  const auto kind = load_be<std::uint8_t>(in, 1);
  response out{.version = load_be<std::uint8_t>(in, 0),
               .what = static_cast<opcode>(kind & ~response_bit),
               .code = static_cast<result>(load_be<std::uint8_t>(in, 3)),
               .lifetime = load_be<std::uint32_t>(in, 4),
               .epoch = load_be<std::uint32_t>(in, 8),
               .map = std::nullopt};
  if ((kind & response_bit) == 0) return std::nullopt;
  // Another version comes with UNSUPP_VERSION, and what follows its header is not ours to know.
  if (out.version != version) {
    return out.code == result::unsupp_version ? std::optional(out) : std::nullopt;
  }
  if (out.what != opcode::map) return out;
  if (in.size() < header_size + map_size) {
    return out.code == result::success ? std::nullopt : std::optional(out);
  }
  const auto body = in.subspan(header_size);
  map_body map{
      .id = {},
      .protocol = load_be<std::uint8_t>(body, 12),
      .internal_port = load_be<std::uint16_t>(body, 16),
      .external = {unmapped(make_v6(body.subspan(20, 16))), load_be<std::uint16_t>(body, 18)}};
  std::ranges::copy(body.first(12), map.id.begin());
  out.map = map;
  return out;
}

std::string_view explain(result code) noexcept {
  switch (code) {
    case result::success:
      return "success";
    case result::unsupp_version:
      return "it speaks another version";
    case result::not_authorized:
      return "this host may not map ports";
    case result::malformed_request:
      return "it does not understand the request";
    case result::unsupp_opcode:
      return "it does not map ports";
    case result::unsupp_option:
    case result::malformed_option:
      return "it does not understand an option";
    case result::network_failure:
      return "its own network is down";
    case result::no_resources:
      return "it has no room for another mapping";
    case result::unsupp_protocol:
      return "it does not map UDP";
    case result::user_ex_quota:
      return "this host has too many mappings";
    case result::cannot_provide_external:
      return "it can't give that external address";
    case result::address_mismatch:
      return "another NAT stands between this host and it";
    case result::excessive_remote_peers:
      return "too many peers";
  }
  return "for a reason that has no name";
}

}  // namespace nat::portmap::pcp
