#pragma once

// As much of HTTP/1.1 (RFC 9112) as UPnP's description and control need: one request a connection,
// and what came back on it. Where to connect is never read off a response.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::portmap::http {

inline constexpr std::size_t max_response = std::size_t{64} * 1024;
inline constexpr std::size_t max_target = 127;  // as libminiupnpc reads control URLs

struct url {
  endpoint where;
  std::string target;  // from the "/" on
};
// http://ADDRESS[:PORT]/…, with an address and no name; IPv6 in brackets, a zone is dropped.
[[nodiscard]] std::optional<url> parse_url(std::string_view text);

[[nodiscard]] std::string get(const url&);
[[nodiscard]] std::string post(const url&, std::string_view soap_action, std::string_view body);

struct response {
  int status;
  std::string body;
};
// Whether more would change nothing: the length that was announced is there.
[[nodiscard]] bool is_complete(std::string_view received);
// Of a connection that has ended, or is complete. None where it is no HTTP.
[[nodiscard]] std::optional<response> parse_response(std::string_view received);

// "Name: value" of a header block, names without regard to case; empty where there is none.
[[nodiscard]] std::string_view header(std::string_view block, std::string_view name);

}  // namespace nat::portmap::http
