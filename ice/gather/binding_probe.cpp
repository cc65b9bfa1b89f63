#include "ice/gather/binding_probe.hpp"

#include <array>

#include "protocol/base/ensure.hpp"

namespace nat::ice {

binding_probe::binding_probe(std::size_t server, const path& via, bool keepalive,
                             const stun::retransmission& rules, random_source& random,
                             time_point now)
    : server_(server),
      via_(via),
      keepalive_(keepalive),
      id_(stun::make_transaction_id(random)),
      started_(now),
      timer_(rules, now) {}

// 20 octets, the plain header: what every server since RFC 3489 understands.
bytes binding_probe::request() const {
  std::array<std::byte, stun::header_size> buffer;
  const auto wire = stun::message_writer(buffer, stun::binding_request, id_).finish();
  ensure(wire.has_value());
  return to_bytes(*wire);
}

std::optional<std::expected<endpoint, binding_refusal>> binding_probe::read_answer(
    const path& from, const stun::message_view& answer) const {
  namespace attr = stun::attr;
  if (from != via_ || answer.id() != id_) return std::nullopt;
  if (answer.type() == stun::binding_error) {
    const auto error = answer.get<attr::error_code>();
    if (!error) return std::nullopt;
    return std::unexpected(binding_refusal{.code = error->code,
                                           .phrase = std::string(error->reason),
                                           .alternate = answer.get<attr::alternate_server>()});
  }
  std::array<std::uint16_t, 1> unknown;
  if (answer.type() != stun::binding_success || answer.unknown_required(unknown) > 0) {
    return std::nullopt;
  }
  auto mapped = answer.get<attr::xor_mapped_address>();
  if (!mapped) mapped = answer.get<attr::mapped_address>();  // RFC 3489 servers
  if (!mapped || mapped->port == 0 || mapped->ip.v4 != via_.local.ip.v4) return std::nullopt;
  if (is_unspecified(mapped->ip) || is_multicast(mapped->ip)) return std::nullopt;
  return *mapped;
}

}  // namespace nat::ice
