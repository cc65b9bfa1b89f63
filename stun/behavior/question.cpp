#include "stun/behavior/question.hpp"

#include <array>

#include "protocol/base/ensure.hpp"

namespace nat::behavior {

bytes write_request(const stun::transaction_id& id, const exchange& e) {
  static constexpr std::array<std::byte, padding_size> padding{};
  std::array<std::byte, padding_size + 128> room;
  stun::message_writer writer(room, stun::binding_request, id);
  writer.put<stun::attr::software>("rendezvous nat discovery");
  if (e.change.change_ip || e.change.change_port) {
    writer.put<stun::attr::change_request>(e.change);
  }
  if (e.response_port != 0) writer.put<stun::attr::response_port>(e.response_port);
  if (e.padded) writer.put<stun::attr::padding>(padding);
  const auto raw = writer.finish();
  ensure(raw.has_value());
  return to_bytes(*raw);
}

bool may_answer(const exchange& e, const endpoint& from) noexcept {
  return (from.ip != e.to.ip) == e.change.change_ip &&
         (from.port != e.to.port) == e.change.change_port;
}

bool take_answer(exchange& e, const stun::message_view& response) {
  std::array<std::uint16_t, 1> unknown;
  if (response.unknown_required(unknown) != 0) return false;  // RFC 8489, 6.3.3
  if (response.type() == stun::binding_error) {
    const auto error = response.get<stun::attr::error_code>();
    if (!error) return false;
    e.what = outcome::refused;
    e.code = error->code;
    return true;
  }
  if (response.type() != stun::binding_success) return false;
  auto mapped = response.get<stun::attr::xor_mapped_address>();
  if (!mapped) mapped = response.get<stun::attr::mapped_address>();
  if (!mapped || mapped->ip.v4 != e.to.ip.v4) return false;
  e.what = outcome::answered;
  e.mapped = mapped;
  const auto other = response.get<stun::attr::other_address>();
  if (other && is_plausible_other(e.to, *other)) e.other = other;
  return true;
}

bool is_plausible_other(const endpoint& server, const endpoint& other) noexcept {
  return other.ip != server.ip && other.port != server.port && is_plausible(server, other);
}

bool is_plausible(const endpoint& server, const endpoint& told) noexcept {
  return told.ip.v4 == server.ip.v4 && told.port != 0 && unmapped(told.ip) == told.ip &&
         !is_unspecified(told.ip) && !is_multicast(told.ip) && !is_link_local(told.ip) &&
         is_loopback(told.ip) == is_loopback(server.ip) &&
         is_private(told.ip) == is_private(server.ip);
}

}  // namespace nat::behavior
