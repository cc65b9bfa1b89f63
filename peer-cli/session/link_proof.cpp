// The part of a link that holds channels back until both ends have proven that they know the
// secret.

#include "peer-cli/session/link.hpp"

namespace nat::session {

void link::authenticate(time_point now) {
  if (!config_.secret) {
    proven_ = true;
    events_.emplace_back(link_ready{});
    return;
  }
  const auto& a = config_.offerer ? own_.fingerprint() : *remote_fingerprint_;
  const auto& b = config_.offerer ? *remote_fingerprint_ : own_.fingerprint();
  proof_.emplace(
      authentication_config{config_.offerer, *config_.secret,
                            config_.offerer ? config_.local_id : config_.remote_id,
                            config_.offerer ? config_.remote_id : config_.local_id, a, b},
      random_);
  proof_deadline_ = now + config_.authentication_timeout;
  if (!config_.offerer) return;  // the other side opens the channel
  datachannel::channel_options options;
  options.label = authentication_label;
  proof_channel_ = channel_->open(options, now);
  send_proofs(now);
}

void link::send_proofs(time_point now) {
  while (proof_ && proof_channel_) {
    const auto message = proof_->poll_message();
    if (!message || !channel_->send(*proof_channel_, *message, true, now)) return;
  }
}

// True: the event was about the proof, or must not be seen before it.
bool link::handle_authentication(datachannel::event& event, time_point now) {
  const auto* const opened = std::get_if<datachannel::channel_opened>(&event);
  if (opened && opened->by_peer && opened->options.label == authentication_label) {
    if (!config_.secret) {
      fail({exit_status::wrong_peer, "secret-mismatch",
            "the peer asks for a secret and none was given here; use the same --secret-file on "
            "both ends"},
           now);
    } else if (!proof_channel_) {
      proof_channel_ = opened->id;
      send_proofs(now);
    }
    return true;
  }
  if (const auto* const message = std::get_if<datachannel::message>(&event);
      message && proof_channel_ == message->id && proof_ && !proven_) {
    const auto progress = proof_->handle(message->data);
    send_proofs(now);
    if (progress == authentication::progress::refused) {
      fail_proof(now);
    } else if (progress == authentication::progress::proven) {
      proven_ = true;
      proof_deadline_.reset();
      note("secret proven", now);
      events_.emplace_back(link_ready{});
    }
    return true;
  }
  const auto is_proof = [&](const auto* e) { return e && proof_channel_ == e->id; };
  return !proven_ || is_proof(std::get_if<datachannel::channel_closed>(&event)) ||
         is_proof(std::get_if<datachannel::channel_opened>(&event)) ||
         is_proof(std::get_if<datachannel::message>(&event)) ||
         is_proof(std::get_if<datachannel::writable>(&event));
}

void link::fail_proof(time_point now) {
  fail({exit_status::wrong_peer, "secret-mismatch",
        "the peer did not prove that it knows the secret; give both ends the same --secret-file"},
       now);
}

}  // namespace nat::session
