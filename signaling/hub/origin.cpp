#include "signaling/hub/origin.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "protocol/base/endpoint.hpp"

namespace nat::hub {

namespace {

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz", digits = "0123456789";

bool consists_of(std::string_view text, std::string_view more) {
  return std::ranges::all_of(
      text, [&](char c) { return letters.contains(c) || digits.contains(c) || more.contains(c); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// ":8443", or "" where it is the scheme's own.
std::expected<std::string, std::string> canonical_port(std::string_view port,
                                                       std::string_view scheme) {
  std::uint16_t number = 0;
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || stop != port.data() + port.size() || number == 0) {
    return std::unexpected("has a port that is none");
  }
  if ((scheme == "https" && number == 443) || (scheme == "http" && number == 80)) return "";
  return ':' + std::to_string(number);
}

}  // namespace

std::expected<std::string, std::string> canonical_origin(std::string_view given) {
  if (given == "null") return "null";
  if (given == "*") return std::unexpected("is for nobody: leave it out to let all pages in");
  const auto text = lower(given);
  const auto colon = text.find("://");
  if (colon == text.npos) return std::unexpected("has no scheme: write https://HOST");
  const auto scheme = std::string_view(text).substr(0, colon);
  if (scheme.empty() || !letters.contains(scheme[0]) || !consists_of(scheme, "+-.")) {
    return std::unexpected("has a scheme that is none: write https://HOST");
  }
  auto authority = std::string_view(text).substr(colon + 3);
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.find_first_of("/?#") != authority.npos) {
    return std::unexpected("is more than an origin: leave out what follows the host and port");
  }
  const auto bracket = authority.rfind(']');
  const auto port_at = authority.find(':', bracket == authority.npos ? 0 : bracket);
  auto host = std::string(authority.substr(0, port_at));
  std::string port;
  if (port_at != authority.npos) {
    auto known = canonical_port(authority.substr(port_at + 1), scheme);
    if (!known) return known;
    port = std::move(*known);
  }
  if (host.starts_with('[')) {
    const auto ip =
        host.ends_with(']') ? parse_address(host.substr(1, host.size() - 2)) : std::nullopt;
    if (!ip || ip->v4) return std::unexpected("has an IPv6 address that is none");
    host = '[' + to_string(*ip) + ']';
  } else if (host.empty() || !consists_of(host, "-._")) {
    return std::unexpected(
        "has a host that browsers do not send: one name, in ASCII (xn--…), without user or *");
  }
  return std::string(scheme) + "://" + host + port;
}

}  // namespace nat::hub
