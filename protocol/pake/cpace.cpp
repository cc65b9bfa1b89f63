#include "protocol/pake/cpace.hpp"

#include <algorithm>

#include "protocol/base/ensure.hpp"

namespace nat::pake {
namespace {

constexpr std::byte share_message{1}, confirmation_message{2};

// ADa and ADb: the roles, so that neither end's message passes for the other's.
byte_view associated_data(role who) {
  return as_bytes(who == role::initiator ? "initiator" : "responder");
}

role other(role who) {
  return who == role::initiator ? role::responder : role::initiator;
}

bytes framed(std::byte kind, byte_view body) {
  bytes out{kind};
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

}  // namespace

bytes channel_identifier(const channel_identity& c) {
  return lv_cat({as_bytes("rendezvous"), as_bytes(c.initiator_id), c.initiator_fingerprint,
                 as_bytes(c.responder_id), c.responder_fingerprint});
}

cpace::cpace(role who, byte_view password, byte_view channel, byte_view session,
             random_source& random)
    : role_(who), session_(to_bytes(session)) {
  random.fill(secret_);
  secret_.back() &= std::byte{0x0f};  // 252 uniform bits (draft, 8.3)
  const auto share = multiply(secret_, generator(password, channel, session));
  ensure(share.has_value());  // only a scalar of zero has none
  own_share_ = *share;
}

cpace::~cpace() {
  forget();
}

bytes cpace::start() const {
  return framed(share_message, own_share_);
}

std::optional<bytes> cpace::handle(byte_view message) {
  if (state_ == state::failed) return std::nullopt;
  const bool share = message.size() == share_size && message[0] == share_message;
  const bool confirmation =
      message.size() == confirmation_size && message[0] == confirmation_message;
  if (share && !share_taken_) return handle_share(message.subspan(1));
  if (confirmation && share_taken_ && state_ == state::exchanging) {
    handle_confirmation(message.subspan(1));
  } else {
    fail(failure::malformed);
  }
  return std::nullopt;
}

std::optional<bytes> cpace::handle_share(byte_view share) {
  element theirs;
  std::ranges::copy(share, theirs.begin());
  if (theirs == own_share_) {
    fail(failure::reflected);
    return std::nullopt;
  }
  auto shared = multiply(secret_, theirs);
  if (!shared) {
    fail(failure::invalid_share);
    return std::nullopt;
  }
  share_taken_ = true;
  const auto sent = lv_cat({own_share_, associated_data(role_)});
  const auto received = lv_cat({theirs, associated_data(other(role_))});
  auto transcript = role_ == role::initiator ? sent : received;
  const auto& second = role_ == role::initiator ? received : sent;
  transcript.insert(transcript.end(), second.begin(), second.end());

  auto key = session_key(session_, *shared, transcript);
  expected_ = confirmation_tag(session_, key, received);
  auto reply = framed(confirmation_message, confirmation_tag(session_, key, sent));
  wipe(key);
  wipe(*shared);
  wipe(secret_);
  return reply;
}

void cpace::handle_confirmation(byte_view tag) {
  hash theirs;
  std::ranges::copy(tag, theirs.begin());
  if (!equal_constant_time(theirs, expected_)) {
    fail(failure::wrong_secret);
    return;
  }
  state_ = state::confirmed;
  forget();
}

void cpace::fail(failure why) {
  state_ = state::failed;
  why_ = why;
  forget();
}

void cpace::forget() noexcept {
  wipe(secret_);
  wipe(expected_);
}

}  // namespace nat::pake
