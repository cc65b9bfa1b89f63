#include "stun/client.hpp"

#include <array>
#include <utility>

#include "protocol/base/ensure.hpp"

namespace nat::stun {
namespace {

constexpr int try_alternate = 300;

retransmission rules(const client_config& config) {
  auto out = config.timing;
  out.reliable = config.server.proto == transport::tcp;
  return out;
}

bytes make_request(const client_config& config, const transaction_id& id) {
  std::array<std::byte, 1024> room;  // SOFTWARE takes 767 at most
  message_writer writer(room, binding_request, id);
  if (!config.software.empty() && config.software.size() <= codec::max_text) {
    writer.put<attr::software>(config.software);
  }
  const auto raw = config.fingerprint ? writer.finish_fingerprint() : writer.finish();
  ensure(raw.has_value());
  return to_bytes(*raw);
}

}  // namespace

client::client(client_config config, random_source& random, time_point now)
    : config_(std::move(config)),
      id_(make_transaction_id(random)),
      request_(make_request(config_, id_)),
      started_(now),
      timer_(rules(config_), now) {}

bool client::handle_datagram(const path& from, byte_view datagram, time_point now) {
  if (done_ || from.proto != config_.server.proto) return false;
  const auto view = message_view::parse(datagram);
  if (!view || view->id() != id_) return false;
  const auto type = view->type();
  if (type != binding_success && type != binding_error) return false;
  finish(judge(*view, from.remote, now));
  return true;
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
      finish(binding_failure{.why = binding_failure::cause::no_answer});
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
