#include "peer-cli/session/ice_url.hpp"

#include <algorithm>
#include <charconv>

namespace nat::session {
namespace {

struct scheme {
  std::string_view name;
  bool turn, tls;
};
constexpr scheme schemes[] = {{"stun:", false, false},
                              {"stuns:", false, true},
                              {"turn:", true, false},
                              {"turns:", true, true}};

bool parse_port(std::string_view digits, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return error == std::errc{} && end == digits.data() + digits.size() && port != 0;
}

}  // namespace

std::expected<ice_url, std::string> parse_ice_url(std::string_view text) {
  const auto* const known =
      std::ranges::find_if(schemes, [&](const scheme& s) { return text.starts_with(s.name); });
  if (known == std::end(schemes)) {
    return std::unexpected("it starts with none of stun:, stuns:, turn:, turns:");
  }
  ice_url url{.turn = known->turn, .tls = known->tls, .host = {}};
  url.port = url.tls ? 5349 : 3478;
  url.proto = url.tls ? transport::tcp : transport::udp;
  text.remove_prefix(known->name.size());

  if (const auto query = text.find('?'); query != std::string_view::npos) {
    const auto value = text.substr(query + 1);
    text = text.substr(0, query);
    if (value == "transport=tcp") {
      url.proto = transport::tcp;
    } else if (value != "transport=udp") {
      return std::unexpected("after '?' only transport=udp or transport=tcp can stand");
    } else if (url.tls) {
      return std::unexpected("TLS over UDP (DTLS) is not spoken; use ?transport=tcp");
    }
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::unexpected("the bracket is not closed");
    url.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!parse_address(url.host)) return std::unexpected("no IPv6 address stands in the brackets");
  } else {
    const auto colon = text.find(':');
    url.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (!port.empty() && (port[0] != ':' || !parse_port(port.substr(1), url.port))) {
    return std::unexpected("the port is not a number from 1 to 65535");
  }
  const auto is_host_char = [](char c) {
    return (c & 0x80) == 0 && c > ' ' && c != '/' && c != '@';
  };
  if (url.host.empty() || url.host.size() > 253 || !std::ranges::all_of(url.host, is_host_char)) {
    return std::unexpected("the host is missing or not a name");
  }
  return url;
}

}  // namespace nat::session
