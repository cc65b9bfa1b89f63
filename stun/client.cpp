#include "stun/client.hpp"

#include <array>
#include <utility>

namespace nat::stun {
namespace {

constexpr int try_alternate = 300, unauthenticated = 401, stale_nonce = 438;

retransmission rules(const client_config& config) {
  auto out = config.timing;
  out.reliable = config.server.proto == transport::tcp;
  return out;
}

bool asks_for_credentials(const message_view& response) {
  const auto error = response.get<attr::error_code>();
  return error && (error->code == unauthenticated || error->code == stale_nonce);
}

}  // namespace

client::client(client_config config, random_source& random, time_point now)
    : config_(std::move(config)),
      random_(&random),
      session_(config_.username, config_.password),
      timer_(rules(config_), now) {
  begin(now);
}

// A transaction of its own: the first, and one after each challenge.
void client::begin(time_point now) {
  std::array<std::byte, 4096> room;  // five texts of 763 octets at most
  id_ = make_transaction_id(*random_);
  message_writer writer(room, binding_request, id_);
  if (!config_.software.empty() && config_.software.size() <= codec::max_text) {
    writer.put<attr::software>(config_.software);
  }
  signed_ = session_.ready();
  const auto raw = signed_               ? session_.finish(writer, config_.fingerprint)
                   : config_.fingerprint ? writer.finish_fingerprint()
                                         : writer.finish();
  if (!raw) {  // a user name that no attribute can hold
    finish(binding_failure{.why = binding_failure::cause::refused, .code = unauthenticated});
    return;
  }
  request_ = to_bytes(*raw);
  started_ = now;
  timer_ = retransmit_timer(rules(config_), now);
  to_send_ = true;
  tampered_ = false;
}

bool client::handle_datagram(const path& from, byte_view datagram, time_point now) {
  if (done_ || from.proto != config_.server.proto) return false;
  const auto view = message_view::parse(datagram);
  if (!view || view->id() != id_) return false;
  const auto type = view->type();
  if (type != binding_success && type != binding_error) return false;
  if (auto event = consider(*view, from.remote, now)) finish(std::move(*event));
  return true;
}

// RFC 8489, 9.2.5.
std::optional<binding_event> client::consider(const message_view& response, const endpoint& from,
                                              time_point now) {
  using verdict = long_term_session::verdict;
  const bool challenge = response.type() == binding_error && asks_for_credentials(response);
  if (challenge && !config_.username.empty()) {
    const auto next = session_.handle_challenge(response, signed_);
    if (next == verdict::refused) return judge(response, from, now);
    if (next == verdict::retry) {
      begin(now);
      return std::nullopt;
    }
  }
  if (signed_ && !session_.authenticate(response)) {
    tampered_ = true;
    if (config_.server.proto == transport::udp) return std::nullopt;  // as if it had never come
    return binding_failure{.why = binding_failure::cause::not_authentic};
  }
  return judge(response, from, now);
}

binding_event client::judge(const message_view& response, const endpoint& from,
                            time_point now) const {
  using cause = binding_failure::cause;
  std::array<std::uint16_t, 1> unknown;
  if (response.unknown_required(unknown) != 0) {  // RFC 8489, 6.3.3 and 6.3.4
    return binding_failure{.why = cause::unusable_answer};
  }
  if (response.type() == binding_error) {
    const auto error = response.get<attr::error_code>();
    if (!error) return binding_failure{.why = cause::unusable_answer};
    const auto other =
        error->code == try_alternate ? response.get<attr::alternate_server>() : std::nullopt;
    return binding_failure{cause::refused, error->code, std::string(error->reason), other};
  }
  const auto xored = response.get<attr::xor_mapped_address>();
  const auto mapped = xored ? xored : response.get<attr::mapped_address>();
  if (!mapped) return binding_failure{.why = cause::unusable_answer};
  return binding_answer{.mapped = *mapped,
                        .xored = xored.has_value(),
                        .from = from,
                        .software = std::string(response.get<attr::software>().value_or("")),
                        .rtt = now - started_,
                        .sends = timer_.sends()};
}

void client::handle_timeout(time_point now) {
  if (done_) return;
  switch (timer_.poll(now)) {
    case retransmit_timer::action::wait:
      break;
    case retransmit_timer::action::resend:
      to_send_ = true;
      break;
    case retransmit_timer::action::give_up:
      finish(binding_failure{.why = tampered_ ? binding_failure::cause::not_authentic
                                              : binding_failure::cause::no_answer});
      break;
  }
}

void client::handle_stream_closed(time_point) {
  if (!done_) finish(binding_failure{.why = binding_failure::cause::connection_closed});
}

void client::finish(binding_event event) {
  done_ = true;
  to_send_ = false;
  event_ = std::move(event);
}

std::optional<transmit> client::poll_transmit() {
  if (!std::exchange(to_send_, false)) return std::nullopt;
  return transmit{.via = config_.server, .data = request_, .hop_limit = {}};
}

std::optional<binding_event> client::poll_event() {
  return std::exchange(event_, std::nullopt);
}

std::optional<time_point> client::next_timeout() const {
  return done_ ? std::nullopt : std::optional(timer_.next());
}

}  // namespace nat::stun
