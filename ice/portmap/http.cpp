#include "ice/portmap/http.hpp"

#include <algorithm>
#include <charconv>

namespace nat::portmap::http {
namespace {

constexpr std::string_view end_of_line = "\r\n", end_of_head = "\r\n\r\n";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_words(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// RFC 9112, 7.1. None where it does not end, `broken` where it is no chunk at all.
std::optional<std::string> unchunked(std::string_view in, bool& broken) {
  std::string out;
  for (;;) {
    const auto line = in.find(end_of_line);
    if (line == std::string_view::npos) return std::nullopt;
    const auto size = number<std::size_t>(trimmed(in.substr(0, std::min(line, in.find(';')))), 16);
    if (!size || *size > max_response) {
      broken = true;
      return std::nullopt;
    }
    in.remove_prefix(line + end_of_line.size());
    if (*size == 0) return out;
    if (in.size() < *size + end_of_line.size()) return std::nullopt;
    out.append(in.substr(0, *size));
    in.remove_prefix(*size + end_of_line.size());
  }
}

struct parts {
  std::string_view head, body;
};
std::optional<parts> split(std::string_view received) {
  const auto end = received.find(end_of_head);
  if (end == std::string_view::npos) return std::nullopt;
  return parts{received.substr(0, end + end_of_line.size()),
               received.substr(end + end_of_head.size())};
}

bool is_chunked(std::string_view head) {
  return equal_words(header(head, "transfer-encoding"), "chunked");
}

std::string request_head(std::string_view method, const url& to) {
  std::string out(method);
  out += ' ' + to.target + " HTTP/1.1\r\nHost: " + to_string(to.where) +
         "\r\nConnection: close\r\nUser-Agent: UPnP/1.1\r\n";
  return out;
}

}  // namespace

std::optional<url> parse_url(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  if (text.size() < scheme.size() || !equal_words(text.substr(0, scheme.size()), scheme)) {
    return std::nullopt;
  }
  text.remove_prefix(scheme.size());
  const auto slash = text.find('/');
  std::string host(text.substr(0, slash));
  const auto target = slash == std::string_view::npos ? std::string_view("/") : text.substr(slash);
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  if (target.size() > max_target || !std::ranges::all_of(target, printable)) return std::nullopt;
  if (const auto zone = host.find('%'); zone != std::string::npos) {
    const auto close = host.find(']', zone);
    if (close == std::string::npos) return std::nullopt;
    host.erase(zone, close - zone);
  }
  const auto close = host.rfind(']');
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && (close == std::string::npos || colon > close);
  const auto where = parse_endpoint(has_port ? host : host + ":80");
  if (!where || where->port == 0) return std::nullopt;
  return url{*where, std::string(target)};
}

std::string get(const url& from) {
  return request_head("GET", from) + "\r\n";
}

std::string post(const url& to, std::string_view soap_action, std::string_view body) {
  auto out = request_head("POST", to);
  out += "Content-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction: \"" + std::string(soap_action) +
         "\"\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out += body;
  return out;
}

std::string_view header(std::string_view block, std::string_view name) {
  while (!block.empty()) {
    const auto end = block.find(end_of_line);
    const auto line = block.substr(0, end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && equal_words(trimmed(line.substr(0, colon)), name)) {
      return trimmed(line.substr(colon + 1));
    }
    if (end == std::string_view::npos) break;
    block.remove_prefix(end + end_of_line.size());
  }
  return {};
}

bool is_complete(std::string_view received) {
  if (received.size() >= max_response) return true;
  const auto both = split(received);
  if (!both) return false;
  if (is_chunked(both->head)) {
    bool broken = false;
    return unchunked(both->body, broken).has_value() || broken;
  }
  const auto length = number<std::size_t>(header(both->head, "content-length"));
  return length && both->body.size() >= *length;
}

std::optional<response> parse_response(std::string_view received) {
  const auto both = split(received);
  if (!both || !both->head.starts_with("HTTP/1.") || both->head.size() < 14) return std::nullopt;
  const auto status = number<int>(both->head.substr(9, 3));
  if (!status) return std::nullopt;
  response out{.status = *status, .body = {}};
  if (is_chunked(both->head)) {
    bool broken = false;
    auto whole = unchunked(both->body, broken);
    if (!whole) return std::nullopt;
    out.body = std::move(*whole);
    return out;
  }
  const auto length = number<std::size_t>(header(both->head, "content-length"));
  out.body = both->body.substr(0, length.value_or(both->body.size()));
  return out;
}

}  // namespace nat::portmap::http
