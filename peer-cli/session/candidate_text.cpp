#include "peer-cli/session/candidate_text.hpp"

namespace nat::session {
namespace {

sdp::candidate_type to_sdp(ice::candidate_kind kind) {
  switch (kind) {
    case ice::candidate_kind::host:
      return sdp::candidate_type::host;
    case ice::candidate_kind::server_reflexive:
      return sdp::candidate_type::srflx;
    case ice::candidate_kind::peer_reflexive:
      return sdp::candidate_type::prflx;
    case ice::candidate_kind::relayed:
      break;
  }
  return sdp::candidate_type::relay;
}

ice::candidate_kind from_sdp(sdp::candidate_type type) {
  switch (type) {
    case sdp::candidate_type::host:
      return ice::candidate_kind::host;
    case sdp::candidate_type::srflx:
      return ice::candidate_kind::server_reflexive;
    case sdp::candidate_type::prflx:
      return ice::candidate_kind::peer_reflexive;
    case sdp::candidate_type::relay:
      break;
  }
  return ice::candidate_kind::relayed;
}

}  // namespace

sdp::candidate to_sdp(const ice::candidate& from, const std::string& ufrag) {
  sdp::candidate to;
  to.foundation = from.foundation;
  to.proto = from.proto;
  to.priority = from.priority;
  to.host = to_string(from.address.ip);
  to.port = from.address.port;
  to.type = to_sdp(from.kind);
  if (from.related) {
    to.related_host = to_string(from.related->ip);
    to.related_port = from.related->port;
  }
  if (from.tcp) to.tcp = static_cast<sdp::tcp_type>(*from.tcp);
  to.ufrag = ufrag;
  return to;
}

std::optional<ice::candidate> from_sdp(const sdp::candidate& from) {
  const auto ip = parse_address(from.host);
  if (!ip || from.component != 1) return std::nullopt;
  // Port 9 is the discard port that an active TCP candidate shows (RFC 6544, 4.5).
  if (from.port == 0 || is_unspecified(*ip) || is_multicast(*ip)) return std::nullopt;
  ice::candidate to;
  to.kind = from_sdp(from.type);
  to.proto = from.proto;
  to.address = to.base = {unmapped(*ip), from.port};
  to.priority = from.priority;
  to.foundation = from.foundation;
  if (from.tcp) to.tcp = static_cast<ice::tcp_type>(*from.tcp);
  return to;
}

}  // namespace nat::session
