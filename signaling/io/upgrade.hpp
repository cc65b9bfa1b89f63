#pragma once

// The HTTP request that a WebSocket starts with (RFC 6455, 4.2), or any other that a stranger sends
// to this port. Boost.Beast's parser reads it, once its whole header is there.

#include <string>
#include <string_view>

namespace nat::signaling::io {

inline constexpr std::size_t max_upgrade_bytes = 8192;

struct upgrade_result {
  bool accepted = false;
  std::string response;  // to be sent in any case; not accepted: then the connection is closed
  std::string origin, forwarded_for;  // as sent; empty where absent
};

// `head` ends with the empty line.
[[nodiscard]] upgrade_result answer_upgrade(std::string_view head);

// A whole response with a text and Connection: close.
[[nodiscard]] std::string http_response(unsigned status, std::string_view text,
                                        std::string_view content_type = "text/plain; charset=utf-8",
                                        std::string_view more_headers = {});

// For the admin port: the path of a GET without a body; nothing else is understood.
struct http_get {
  bool good = false;
  unsigned status = 400;  // where it is not good
  std::string path;
};
[[nodiscard]] http_get read_get(std::string_view head);

}  // namespace nat::signaling::io
