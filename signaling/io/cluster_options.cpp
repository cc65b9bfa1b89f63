#include "signaling/io/cluster_options.hpp"

#include <algorithm>
#include <charconv>

#include "protocol/base/endpoint.hpp"

namespace nat::signaling::io {

namespace {

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && stop == text.data() + text.size();
}

bool may_be_in_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

}  // namespace

std::expected<cluster_url, std::string> parse_cluster_url(std::string_view text) {
  constexpr std::string_view in_the_clear = "redis://", through_tls = "rediss://";
  if (text.find('@') != text.npos) {
    return std::unexpected(
        "must hold no user or password, which others could read there: use "
        "--cluster-user, and SIGNALING_CLUSTER_PASSWORD or --cluster-password-file");
  }
  const std::unexpected<std::string> wrong(
      "is no URL such as redis://192.0.2.1:6379 or rediss://[2001:db8::1]:6379/1");
  cluster_url out;
  out.tls = text.starts_with(through_tls);
  if (!out.tls && !text.starts_with(in_the_clear)) return wrong;
  text.remove_prefix((out.tls ? through_tls : in_the_clear).size());
  const auto slash = text.find('/');
  if (slash != text.npos && slash + 1 < text.size() &&
      !read_number(text.substr(slash + 1), out.database)) {
    return wrong;
  }
  auto place = text.substr(0, slash);
  const auto bracket = place.find(']');
  const auto colon = place.find(':', bracket == place.npos ? 0 : bracket);
  if (colon != place.npos) {
    if (!read_number(place.substr(colon + 1), out.port) || out.port == 0) return wrong;
    place = place.substr(0, colon);
  }
  if (place.starts_with('[') && place.ends_with(']')) {
    place = place.substr(1, place.size() - 2);
    const auto literal = parse_address(place);
    if (!literal || place.find(':') == place.npos) return wrong;
  } else if (place.empty() || !std::ranges::all_of(place, may_be_in_a_name)) {
    return wrong;
  }
  out.host = place;
  return out;
}

}  // namespace nat::signaling::io
