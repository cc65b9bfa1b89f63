#include "peer-cli/session/authentication.hpp"

#include <utility>

namespace nat::session {
namespace {

constexpr std::byte verified{0x06};  // ASCII ACK

std::unique_ptr<pake::cpace> make_exchange(const authentication_config& config,
                                           random_source& random) {
  const auto channel = pake::channel_identifier({config.initiator_id, config.responder_id,
                                                 config.initiator_certificate.digest,
                                                 config.responder_certificate.digest});
  return std::make_unique<pake::cpace>(
      config.initiator ? pake::role::initiator : pake::role::responder, as_bytes(config.secret),
      channel, byte_view{}, random);
}

}  // namespace

authentication::authentication(const authentication_config& config, random_source& random)
    : initiator_(config.initiator), exchange_(make_exchange(config, random)) {
  outbox_.push_back(exchange_->start());
}

std::optional<bytes> authentication::poll_message() {
  if (outbox_.empty()) return std::nullopt;
  auto message = std::move(outbox_.front());
  outbox_.pop_front();
  return message;
}

authentication::progress authentication::handle(byte_view message) {
  if (exchange_->state() == pake::state::confirmed) {
    const bool acknowledged = initiator_ && message.size() == 1 && message[0] == verified;
    return acknowledged ? progress::proven : progress::refused;
  }
  if (auto reply = exchange_->handle(message)) outbox_.push_back(std::move(*reply));
  switch (exchange_->state()) {
    case pake::state::exchanging:
      return progress::going_on;
    case pake::state::failed:
      return progress::refused;
    case pake::state::confirmed:
      break;
  }
  if (initiator_) return progress::going_on;
  outbox_.push_back({verified});
  return progress::proven;
}

}  // namespace nat::session
