#include "signaling/io/upgrade.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include "protocol/signal/messages.hpp"
#include "signaling/websocket/handshake.hpp"

namespace nat::signaling::io {

namespace {

namespace http = boost::beast::http;
using request = http::request<http::empty_body>;

// HTTP/1.1 without a Host is refused as what is no HTTP (RFC 9112, 3.2).
std::optional<request> parse(std::string_view head) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(max_upgrade_bytes);
  boost::system::error_code wrong;
  parser.put(boost::asio::buffer(head.data(), head.size()), wrong);
  if (wrong || !parser.is_header_done()) return std::nullopt;
  auto out = parser.release();
  if (out.version() >= 11 && out.count(http::field::host) == 0) return std::nullopt;
  return out;
}

bool announces_body(const request& r) {
  return r.find(http::field::transfer_encoding) != r.end() ||
         (r.find(http::field::content_length) != r.end() && r[http::field::content_length] != "0");
}

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// A field that stands there several times is one list (RFC 9110, 5.3).
template <class Name>
std::string all_of(const request& r, Name name) {
  std::string out;
  const auto [first, last] = r.equal_range(name);
  for (auto field = first; field != last; ++field) {
    if (!out.empty()) out += ',';
    out += view(field->value());
  }
  return out;
}

bool lists(const request& r, http::field name, std::string_view word) {
  const auto value = all_of(r, name);
  return http::token_list(value).exists(boost::beast::string_view(word.data(), word.size()));
}

// Two of one of these, and it would be a guess which is meant (RFC 6455, 11.3; RFC 9112, 3.2).
bool repeats_what_is_single(const request& r) {
  constexpr std::array single{http::field::host, http::field::origin,
                              http::field::sec_websocket_key, http::field::sec_websocket_version};
  return std::ranges::any_of(single, [&](auto name) { return r.count(name) > 1; });
}

bool asks_for_websocket(const request& r) {
  return r.method() == http::verb::get && r.version() >= 11 &&
         lists(r, http::field::connection, "upgrade") &&
         lists(r, http::field::upgrade, "websocket");
}

upgrade_result refuse(unsigned status, std::string_view why, std::string_view more = {}) {
  return {false, http_response(status, why, "text/plain; charset=utf-8", more), {}, {}};
}

}  // namespace

std::string http_response(unsigned status, std::string_view text, std::string_view content_type,
                          std::string_view more_headers) {
  const auto reason = view(http::obsolete_reason(static_cast<http::status>(status)));
  std::string out = "HTTP/1.1 " + std::to_string(status) + ' ' + std::string(reason);
  out += "\r\nConnection: close\r\nContent-Type: ";
  out += content_type;
  out += "\r\nContent-Length: " + std::to_string(text.size()) + "\r\n";
  out += more_headers;
  out += "\r\n";
  out += text;
  return out;
}

upgrade_result answer_upgrade(std::string_view head) {
  const auto asked = parse(head);
  if (!asked) return refuse(400, "The request is not HTTP/1.1 with a Host.\n");
  if (announces_body(*asked)) return refuse(400, "A request with a body has no place here.\n");
  if (repeats_what_is_single(*asked)) {
    return refuse(400, "Host, Origin, Sec-WebSocket-Key and -Version stand there once.\n");
  }
  if (!asks_for_websocket(*asked)) {
    return refuse(426, "This is a signaling server: connect with a WebSocket client.\n",
                  "Upgrade: websocket\r\n");
  }
  if (view((*asked)[http::field::sec_websocket_version]) != "13") {
    return refuse(426, "Only version 13 of the WebSocket protocol is spoken here.\n",
                  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  }
  const auto key = view((*asked)[http::field::sec_websocket_key]);
  if (!websocket::is_key(key)) return refuse(400, "Sec-WebSocket-Key is not a key.\n");
  upgrade_result out{true,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: ",
                     std::string(view((*asked)[http::field::origin])),
                     all_of(*asked, "X-Forwarded-For")};
  out.response += websocket::accept_for(key);
  if (lists(*asked, http::field::sec_websocket_protocol, signal::subprotocol)) {
    out.response += "\r\nSec-WebSocket-Protocol: ";
    out.response += signal::subprotocol;
  }
  out.response += "\r\n\r\n";
  return out;
}

http_get read_get(std::string_view head) {
  const auto asked = parse(head);
  if (!asked || announces_body(*asked)) return {};
  if (asked->method() != http::verb::get) return {false, 405, {}};
  const auto target = view(asked->target());
  return {true, 200, std::string(target.substr(0, target.find('?')))};
}

}  // namespace nat::signaling::io
