#include "ice/portmap/ssdp.hpp"

namespace nat::portmap::ssdp {
namespace {

constexpr std::size_t max_size = 2048;

}  // namespace

endpoint group(bool v4) noexcept {
  return {*parse_address(v4 ? "239.255.255.250" : "ff02::c"), port};
}

// Devices of later versions answer for the first as well (1.3.2).
bytes search(const endpoint& to) {
  const auto text = "M-SEARCH * HTTP/1.1\r\nHOST: " + to_string(to) +
                    "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
                    "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n";
  return to_bytes(as_bytes(text));
}

std::optional<http::url> read(byte_view datagram, const address& responder) {
  const auto text = as_text(datagram);
  if (text.size() > max_size || !text.starts_with("HTTP/1.1 200")) return std::nullopt;
  if (!http::header(text, "st").starts_with("urn:schemas-upnp-org:device:InternetGatewayDevice:")) {
    return std::nullopt;
  }
  auto found = http::parse_url(http::header(text, "location"));
  if (!found || found->where.ip != responder) return std::nullopt;
  return found;
}

}  // namespace nat::portmap::ssdp
