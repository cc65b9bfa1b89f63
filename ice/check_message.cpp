#include "ice/check_message.hpp"

#include <array>

#include "protocol/base/ensure.hpp"

namespace nat::ice {
namespace {

namespace attr = stun::attr;

// Two names of 256, a colon, and the rest with room to spare.
using buffer = std::array<std::byte, 768>;

bytes finished(std::optional<byte_view> message) {
  ensure(message.has_value());  // credentials are bounded where they enter the agent
  return to_bytes(*message);
}

}  // namespace

bytes make_check(const outgoing_check& c) {
  buffer room;
  stun::message_writer out(room, stun::binding_request, c.id);
  out.put<attr::username>(c.username).put<attr::priority>(c.priority);
  if (c.role == role::controlling) {
    out.put<attr::ice_controlling>(c.tie_breaker);
  } else {
    out.put<attr::ice_controlled>(c.tie_breaker);
  }
  if (c.nomination != 0) {
    out.put<attr::use_candidate>({});
    if (c.nomination_attribute) out.put<attr::nomination>(c.nomination);
  }
  return finished(out.finish_signed(as_bytes(c.password)));
}

bytes make_success(const stun::transaction_id& id, const endpoint& from,
                   std::string_view password) {
  buffer room;
  stun::message_writer out(room, stun::binding_success, id);
  out.put<attr::xor_mapped_address>(from);
  return finished(out.finish_signed(as_bytes(password)));
}

bytes make_role_conflict(const stun::transaction_id& id, std::string_view password) {
  buffer room;
  stun::message_writer out(room, stun::binding_error, id);
  out.put<attr::error_code>({487, "Role Conflict"});
  return finished(out.finish_signed(as_bytes(password)));
}

bytes make_unknown_attribute(const stun::message_view& request, std::string_view password) {
  buffer room;
  std::array<std::uint16_t, 16> unknown;
  const auto count = std::min(request.unknown_required(unknown), unknown.size());
  stun::message_writer out(room, stun::binding_error, request.id());
  out.put<attr::error_code>({420, "Unknown Attribute"});
  out.put_unknown(std::span(unknown).first(count));
  return finished(out.finish_signed(as_bytes(password)));
}

std::optional<username> read_username(const stun::message_view& message) noexcept {
  const auto text = message.get<attr::username>();
  if (!text) return std::nullopt;
  const auto colon = text->find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return username{text->substr(0, colon), text->substr(colon + 1)};
}

incoming_check read_check(const stun::authenticated_view& message) noexcept {
  incoming_check c;
  if (const auto theirs = message.get<attr::ice_controlling>()) {
    c.role = role::controlling;
    c.tie_breaker = *theirs;
  } else if (const auto value = message.get<attr::ice_controlled>()) {
    c.role = role::controlled;
    c.tie_breaker = *value;
  }
  c.priority = message.get<attr::priority>();
  c.use_candidate = message.has<attr::use_candidate>();
  c.nomination = message.get<attr::nomination>();
  // libwebrtc sends the attribute in place of USE-CANDIDATE.
  if (c.nomination.value_or(0) != 0) c.use_candidate = true;
  return c;
}

}  // namespace nat::ice
