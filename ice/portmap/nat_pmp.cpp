#include "ice/portmap/nat_pmp.hpp"

#include "protocol/base/big_endian.hpp"

namespace nat::portmap::nat_pmp {
namespace {

constexpr std::uint8_t address_operation = 0, map_udp_operation = 1, response_bit = 0x80;
constexpr std::size_t error_size = 8, address_size = 12, map_size = 16;

}  // namespace

bytes write_address_request() {
  return bytes(2);
}

bytes write_map_request(std::uint16_t internal_port, std::uint16_t suggested_port,
                        std::uint32_t lifetime) {
  bytes out(12);
  const byte_span span(out);
  store_be(span, 1, map_udp_operation);
  store_be(span, 4, internal_port);
  store_be(span, 6, suggested_port);
  store_be(span, 8, lifetime);
  return out;
}

std::optional<response> read(byte_view in) noexcept {
  if (in.size() < error_size || load_be<std::uint8_t>(in, 0) != 0) return std::nullopt;
  const auto kind = load_be<std::uint8_t>(in, 1);
  if ((kind & response_bit) == 0) return std::nullopt;
  response out{.operation = static_cast<std::uint8_t>(kind & ~response_bit),
               .code = static_cast<result>(load_be<std::uint16_t>(in, 2)),
               .epoch = load_be<std::uint32_t>(in, 4),
               .external = std::nullopt,
               .map = std::nullopt};
  if (out.operation != address_operation && out.operation != map_udp_operation) return std::nullopt;
  if (out.code != result::success) return out;
  if (out.operation == address_operation) {
    if (in.size() < address_size) return std::nullopt;
    out.external = make_v4(load_be<std::uint32_t>(in, 8));
    return out;
  }
  if (in.size() < map_size) return std::nullopt;
  out.map = map_body{.internal_port = load_be<std::uint16_t>(in, 8),
                     .external_port = load_be<std::uint16_t>(in, 10),
                     .lifetime = load_be<std::uint32_t>(in, 12)};
  return out;
}

std::string_view explain(result code) noexcept {
  switch (code) {
    case result::success:
      return "success";
    case result::unsupported_version:
      return "it speaks another version";
    case result::not_authorized:
      return "this host may not map ports";
    case result::network_failure:
      return "its own network is down";
    case result::out_of_resources:
      return "it has no room for another mapping";
    case result::unsupported_opcode:
      return "it does not map ports";
  }
  return "for a reason that has no name";
}

}  // namespace nat::portmap::nat_pmp
