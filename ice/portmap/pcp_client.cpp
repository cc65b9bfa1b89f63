#include "ice/portmap/pcp_client.hpp"

#include "ice/portmap/external_address.hpp"

namespace nat::portmap {

pcp_client::pcp_client(const endpoint& base, const lease_rules& rules, random_source& random,
                       time_point now)
    : base_(base), lease_(rules, random) {
  random.fill(id_);
  lease_.ask(now);
}

bytes pcp_client::request() const {
  pcp::map_request out{
      .client = base_.ip, .id = id_, .internal_port = base_.port, .suggested = {}, .lifetime = 0};
  out.suggested.ip.v4 = base_.ip.v4;
  if (lease_.releasing()) return write(out);
  out.lifetime = static_cast<std::uint32_t>(lease_.wanted().count());
  // 11.2.1: what was given is asked for again, and else our own port: some NATs can keep it.
  if (lease_.external()) {
    out.suggested = *lease_.external();
  } else {
    out.suggested.port = base_.port;
  }
  return write(out);
}

bool pcp_client::handle(const pcp::response& in, time_point now) {
  if (in.what != pcp::opcode::map || !lease_.expects_answer()) return false;
  // An error need not carry the request (RFC 6887, 8.2 copies what there was): then the source is
  // all there is to go by, and it costs a pause, no more.
  if (in.map && (in.map->id != id_ || in.map->protocol != udp_protocol ||
                 in.map->internal_port != base_.port)) {
    return false;
  }
  spoken_ = true;
  lease_.heard();
  if (lease_.releasing()) {
    // 15: a deletion is confirmed with lifetime 0; what else comes answers an earlier request.
    if (in.code != pcp::result::success || in.lifetime == 0) lease_.release_confirmed();
  } else if (in.code != pcp::result::success) {
    lease_.refuse(std::string(explain(in.code)), in.lifetime, now);
  } else if (in.lifetime == 0 || in.map->external.port == 0 ||
             !is_plausible(in.map->external.ip, base_)) {
    lease_.refuse("it granted what can't be an address", 0, now);
  } else {
    lease_.grant(in.map->external, in.lifetime, now);
  }
  return true;
}

}  // namespace nat::portmap
