#include "protocol/sdp/description.hpp"

#include "protocol/sdp/reader.hpp"

namespace nat::sdp {
namespace {

constexpr std::size_t max_text = 65'536;

std::string_view name_of(setup s) {
  switch (s) {
    case setup::active:
      return "active";
    case setup::passive:
      return "passive";
    case setup::actpass:
      break;
  }
  return "actpass";
}

std::string ice_options(const description& d) {
  std::string out;
  if (d.trickle) out += " trickle";
  if (d.renomination) out += " renomination";
  return out.empty() ? out : "a=ice-options:" + out.substr(1) + "\r\n";
}

}  // namespace

std::expected<description, parse_error> parse(std::string_view text) {
  if (text.size() > max_text) {
    return std::unexpected(parse_error{0, "a description of more than 64 KiB"});
  }
  reader lines;
  lines.result().mid.clear();
  lines.result().bundle = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!lines.take(line)) return std::unexpected(std::move(lines.error()));
  }
  if (!lines.finish()) return std::unexpected(std::move(lines.error()));
  return std::move(lines.result());
}

std::string to_string(const description& d) {
  std::string out = "v=0\r\n";
  const auto line = [&out](std::initializer_list<std::string_view> parts) {
    for (const auto part : parts) out += part;
    out += "\r\n";
  };
  line({"o=- ", std::to_string(d.session_id), " ", std::to_string(d.session_version),
        " IN IP4 127.0.0.1"});
  line({"s=-"});
  line({"t=0 0"});
  if (d.bundle && !d.mid.empty()) line({"a=group:BUNDLE ", d.mid});
  if (d.ice_lite) line({"a=ice-lite"});
  // RFC 8840, 4.1.1: with trickle the default destination is 0.0.0.0:9.
  line({"m=application 9 UDP/DTLS/SCTP webrtc-datachannel"});
  line({"c=IN IP4 0.0.0.0"});
  for (const auto& c : d.candidates) line({"a=", to_string(c)});
  if (d.end_of_candidates) line({"a=end-of-candidates"});
  line({"a=ice-ufrag:", d.ufrag});
  line({"a=ice-pwd:", d.password});
  out += ice_options(d);
  for (const auto& fingerprint : d.fingerprints) line({"a=fingerprint:", fingerprint});
  line({"a=setup:", name_of(d.setup)});
  if (!d.mid.empty()) line({"a=mid:", d.mid});
  line({"a=sctp-port:", std::to_string(d.sctp_port)});
  line({"a=max-message-size:",
        std::to_string(d.max_message_size == any_message_size ? 0 : d.max_message_size)});
  return out;
}

}  // namespace nat::sdp
