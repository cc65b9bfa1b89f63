#include <algorithm>
#include <array>
#include <utility>

#include "protocol/base/ensure.hpp"
#include "stun/turn/client_errors.hpp"
#include "stun/turn/client_state.hpp"

namespace nat::turn {
namespace {

constexpr unsigned max_challenges = 3;  // 401 and 438 in a row for one question
constexpr duration max_rto = std::chrono::seconds{3};

constexpr std::uint8_t udp_protocol = 17;  // REQUESTED-TRANSPORT, RFC 8656, 18.7
constexpr std::uint8_t family_v6 = 2;      // RFC 8656, 18.6

stun::retransmission schedule(const client_config& config, const stun::round_trip_estimate& rtt,
                              purpose why) {
  stun::retransmission rules;
  rules.initial_rto = std::min(rtt.rto(config.initial_rto, config.min_rto), max_rto);
  rules.max_sends = config.max_sends;
  rules.final_wait = 2;
  rules.reliable = config.server.proto == transport::tcp;
  rules.reliable_wait = config.reliable_wait;
  if (why == purpose::release) {  // somebody waits to end the program
    rules.max_sends = std::min(rules.max_sends, 4U);
    rules.reliable_wait = std::min<duration>(rules.reliable_wait, std::chrono::seconds{2});
  }
  return rules;
}

}  // namespace

void client::state::put_question(stun::message_writer& out, const question& what) const {
  using namespace stun::attr;
  switch (what.why) {
    case purpose::allocate:
      out.put<requested_transport>(udp_protocol);
      if (config_.wanted == families::v6) out.put<requested_address_family>(family_v6);
      if (config_.wanted == families::both) out.put<additional_address_family>(family_v6);
      if (config_.dont_fragment) out.put<dont_fragment>({});
      [[fallthrough]];
    case purpose::refresh:
      out.put<lifetime>(static_cast<std::uint32_t>(
          std::chrono::duration_cast<std::chrono::seconds>(config_.lifetime).count()));
      break;
    case purpose::discard:
    case purpose::release:
      out.put<lifetime>(0);
      break;
    case purpose::permit:
      for (const auto& peer : what.peers) out.put<xor_peer_address>({peer, 0});
      break;
    case purpose::bind:
      out.put<channel_number>(what.number);
      out.put<xor_peer_address>(what.peer);
      break;
  }
}

bytes client::state::write_request(const question& what, const stun::transaction_id& id) const {
  // The longest: 508 + 2 * 763 octets of credentials and 24 peers of 24 octets.
  std::array<std::byte, 3072> buffer;
  stun::message_writer out(buffer, {method_of(what.why), stun::kind::request}, id);
  put_question(out, what);
  if (credentials_.ready()) credentials_.put_into(out);
  const auto wire = credentials_.ready() ? out.finish_signed(credentials_.key().secret.view(),
                                                             credentials_.key().kind)
                                         : out.finish_fingerprint();
  ensure(wire.has_value());
  return to_bytes(*wire);
}

void client::state::ask(question what, time_point now) {
  const auto id = stun::make_transaction_id(random_);
  auto wire = write_request(what, id);
  queue(wire, now);
  const auto rules = schedule(config_, rtt_, what.why);
  requests_.push_back(
      {.what = std::move(what),
       .id = id,
       .wire = std::move(wire),
       .key = credentials_.ready() ? std::optional(credentials_.key()) : std::nullopt,
       .timer = {rules, now},
       .sent = now});
}

// RFC 8489, 9.2.5: where the request was signed, so is the answer, or it is dropped as if it had
// never come; retransmission goes on.
bool client::state::authentic(request& r, const stun::message_view& answer, int code) {
  if (!r.key || answer.authenticate(r.key->secret.view())) return true;
  ++counters_.unauthenticated;
  if (code != 0) r.unsigned_error = code;
  return false;
}

void client::state::note_rtt(const request& r, time_point now) {
  if (r.timer.sends() == 1) rtt_.add(now - r.sent);  // Karn: RFC 6298, 3
}

void client::state::handle_answer(const stun::message_view& answer, time_point now) {
  const auto type = answer.type();
  const auto at = std::ranges::find(requests_, answer.id(), &request::id);
  const bool is_answer = type.kind == stun::kind::success || type.kind == stun::kind::error;
  if (at == requests_.end() || !is_answer || type.method != method_of(at->what.why)) {
    ++counters_.unexpected;
    return;
  }
  int code = 0;
  if (type.kind == stun::kind::error) {
    const auto error = answer.get<stun::attr::error_code>();
    if (!error) {
      ++counters_.malformed;
      return;
    }
    code = error->code;
  }
  const bool challenge = code == 401 || code == 438;
  if (!challenge && !authentic(*at, answer, code)) return;
  // RFC 8489, 6.3.3: what we don't understand but must makes the transaction fail.
  std::array<std::uint16_t, 1> unknown;
  if (code == 0 && answer.unknown_required(unknown) > 0) code = 420;
  if (code == 0 && at->what.why == purpose::allocate &&
      !answer.has<stun::attr::xor_relayed_address>()) {
    ++counters_.malformed;
    return;
  }
  auto r = std::move(*at);
  requests_.erase(at);
  note_rtt(r, now);
  if (challenge) {
    handle_challenge(std::move(r), code, answer, now);
  } else if (code == 0) {
    handle_success(r, answer, now);
  } else {
    handle_error(r, code, answer, now);
  }
}

// A 401 to a signed request means that the password is wrong, unless the same password has been
// good before: then it is a server that says 401 where it means 438.
void client::state::handle_challenge(request r, int code, const stun::message_view& answer,
                                     time_point now) {
  const bool wrong_password = code == 401 && r.key && phase_ == phase::allocating;
  if (wrong_password || r.what.challenges >= max_challenges || credentials_.empty() ||
      !credentials_.take_challenge(answer)) {
    return handle_error(r, code, answer, now);
  }
  ++r.what.challenges;
  if (phase_ == phase::allocating && std::exchange(config_.await_approval, false)) {
    unapproved_ = std::move(r.what);
    events_.push_back(challenged{});
    return;
  }
  ask(std::move(r.what), now);
}

void client::state::handle_success(request& r, const stun::message_view& answer, time_point now) {
  switch (r.what.why) {
    case purpose::allocate:
      return handle_allocated(r, answer, now);
    case purpose::refresh:
      return handle_refreshed(answer, now);
    case purpose::discard:
      discarded_ = true;
      return ask({.why = purpose::allocate}, now);
    case purpose::release:
      return finish(released{});
    case purpose::permit:
      return handle_permitted(r, now);
    case purpose::bind:
      return handle_bound(r, now);
  }
}

void client::state::handle_error(request& r, int code, const stun::message_view& answer,
                                 time_point now) {
  const auto error = answer.get<stun::attr::error_code>();
  const auto phrase = error ? error->reason : std::string_view{};
  switch (r.what.why) {
    case purpose::allocate:
      return handle_allocate_error(code, answer, now);
    case purpose::refresh:
      return handle_refresh_error(code, phrase, now);
    case purpose::discard:
      discarded_ = code == 437;  // on its way out already; else it is not ours to give back
      return ask({.why = purpose::allocate}, now);
    case purpose::release:
      return finish(released{});
    case purpose::permit:
      return handle_permit_error(r, code, phrase, now);
    case purpose::bind:
      return handle_bind_error(r, code, now);
  }
}

void client::state::give_up(const request& r, time_point now) {
  switch (r.what.why) {
    case purpose::allocate: {
      auto reason = explain(0);
      if (r.unsigned_error != 0) {
        reason += ", except by what nobody has signed: " + explain(r.unsigned_error);
      }
      return fail(0, std::move(reason));
    }
    case purpose::refresh:
      return handle_refresh_error(0, {}, now);
    case purpose::discard:
      return fail(437, explain(437));
    case purpose::release:
      return finish(released{});
    case purpose::permit:
      return handle_permit_error(r, 0, {}, now);
    case purpose::bind:
      return handle_bind_error(r, 0, now);
  }
}

}  // namespace nat::turn
