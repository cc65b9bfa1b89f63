#include "stun/turn/server_state.hpp"

namespace nat::turn {
namespace {

struct reason {
  int code;
  std::string_view phrase, label;
};

// In the order of `refusal`. The phrases are short: what answers a stranger should not be large.
constexpr std::array<reason, refusal_count> reasons{{
    {400, "Bad Request", "bad_request"},
    {401, "Unauthenticated", "unauthenticated"},
    {403, "Forbidden", "forbidden"},
    {420, "Unknown Attribute", "unknown_attribute"},
    {437, "Allocation Mismatch", "allocation_mismatch"},
    {438, "Stale Nonce", "stale_nonce"},
    {440, "Address Family not Supported", "family_unsupported"},
    {441, "Wrong Credentials", "wrong_credentials"},
    {442, "Unsupported Transport Protocol", "transport"},
    {443, "Peer Address Family Mismatch", "peer_family"},
    {486, "Allocation Quota Reached", "quota"},
    {508, "Insufficient Capacity", "capacity"},
}};

const reason& reason_of(refusal why) {
  return reasons[static_cast<std::size_t>(why)];
}

}  // namespace

std::string_view to_string(refusal why) noexcept {
  return reason_of(why).label;
}

void server::state::refuse(const server_request& r, refusal why) {
  ++counted.refused[static_cast<std::size_t>(why)];
  if (r.key == nullptr && !may_challenge(r.from, r.now)) return;
  std::array<std::byte, response_buffer> buffer;
  stun::message_writer writer(buffer, {r.message.type().method, stun::kind::error}, r.message.id());
  writer.put<stun::attr::error_code>({reason_of(why).code, reason_of(why).phrase});
  send(r.from, r.key != nullptr
                   ? writer.finish_signed(r.key->view(), r.sealed.integrity, r.sealed.fingerprint)
               : r.sealed.fingerprint ? writer.finish_fingerprint()
                                      : writer.finish());
}

void server::state::refuse_unknown(const server_request& r, std::span<const std::uint16_t> types) {
  ++counted.refused[static_cast<std::size_t>(refusal::unknown_attribute)];
  std::array<std::byte, response_buffer> buffer;
  stun::message_writer writer(buffer, {r.message.type().method, stun::kind::error}, r.message.id());
  const auto& why = reason_of(refusal::unknown_attribute);
  writer.put<stun::attr::error_code>({why.code, why.phrase}).put_unknown(types);
  send(r.from, writer.finish_signed(r.key->view(), r.sealed.integrity, r.sealed.fingerprint));
}

void server::state::challenge(const server_request& r, refusal why) {
  ++counted.refused[static_cast<std::size_t>(why)];
  if (!may_challenge(r.from, r.now)) return;
  // A name that nobody has listed, as TURN REST has them, can't be told from its hash.
  const bool anonymity = !users.empty() && config.rest_secret.empty();
  const auto fresh =
      make_nonce(nonce_secret, r.from.remote.ip, static_cast<std::uint32_t>(unix_time(r.now)),
                 {.password_algorithms = true, .username_anonymity = anonymity});
  std::array<std::byte, response_buffer> buffer;
  stun::message_writer writer(buffer, {r.message.type().method, stun::kind::error}, r.message.id());
  writer.put<stun::attr::error_code>({reason_of(why).code, reason_of(why).phrase})
      .put<stun::attr::realm>(config.realm)
      .put<stun::attr::nonce>(fresh.view())
      .put<stun::attr::password_algorithms>(stun::offered_algorithms());
  send(r.from, r.sealed.fingerprint ? writer.finish_fingerprint() : writer.finish());
}

void server::state::send(const path& from, std::optional<byte_view> message) {
  if (!message || outbox.size() >= config.max_outbox) {
    ++counted.limited;
    return;
  }
  outbox.push_back({from, to_bytes(*message), 0, std::nullopt});
}

bool server::state::may_challenge(const path& from, time_point now) {
  // There the address is no forgery, and an answer that is left out is missed for ever. Whoever
  // reads none is held up by the connection itself.
  if (from.proto == transport::tcp) return true;
  if (now - challenges_since >= std::chrono::seconds{1}) {
    challenges.fill(0);
    challenges_since = now;
  }
  auto& sent = challenges[hash(endpoint{quota_address(from.remote.ip), 0}) % challenges.size()];
  if (sent >= config.max_challenges_per_second) {
    ++counted.limited;
    return false;
  }
  ++sent;
  return true;
}

}  // namespace nat::turn
