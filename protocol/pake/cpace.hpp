#pragma once

// CPace (draft-irtf-cfrg-cpace-21): two ends prove to each other that they know the same secret,
// even a short one, and whoever stands between them gets one guess a run and nothing to search
// offline. Here the secret vouches for the channel it is run over: the DTLS fingerprints are part
// of what is agreed on, so that a man in the middle, who has to show different fingerprints to the
// two ends, fails like one who does not know the secret.
//
//   both: send start(); hand each message of the peer to handle() and send what it returns;
//   when state() is confirmed, the peer has proven itself, and its proof of us is on its way.
//
// Two messages each way, which cross: one and a half round trips. Messages must arrive in order.
// Left out on purpose: use of the session key for anything but the proof (DTLS encrypts), and the
// symmetric setting: the ends of a DTLS connection differ in role anyway.

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "protocol/base/random.hpp"
#include "protocol/pake/suite.hpp"

namespace nat::pake {

enum class role : std::uint8_t { initiator, responder };

// Who is at the two ends, and of what channel. Both ends write the same: initiator first.
struct channel_identity {
  std::string_view initiator_id, responder_id;
  byte_view initiator_fingerprint, responder_fingerprint;  // of their DTLS certificates
};
[[nodiscard]] bytes channel_identifier(const channel_identity&);

enum class state : std::uint8_t { exchanging, confirmed, failed };
enum class failure : std::uint8_t {
  none,
  malformed,      // not a message of this protocol, or not in its turn
  reflected,      // our own share came back
  invalid_share,  // not an element of the group
  wrong_secret    // or another channel: nobody can tell which
};

class cpace {
 public:
  static constexpr std::size_t share_size = 1 + sizeof(element);
  static constexpr std::size_t confirmation_size = 1 + sizeof(hash);

  // `session` may be empty, or a value that both ends know and that no other run has.
  cpace(role, byte_view password, byte_view channel, byte_view session, random_source&);
  ~cpace();
  cpace(const cpace&) = delete;
  cpace& operator=(const cpace&) = delete;

  [[nodiscard]] bytes start() const;
  // What to send back, if anything. After a failure nothing is ever sent.
  [[nodiscard]] std::optional<bytes> handle(byte_view message);

  [[nodiscard]] pake::state state() const { return state_; }
  [[nodiscard]] failure why() const { return why_; }

 private:
  std::optional<bytes> handle_share(byte_view share);
  void handle_confirmation(byte_view tag);
  void fail(failure);
  void forget() noexcept;

  role role_;
  bytes session_;
  scalar secret_{};
  element own_share_{};
  hash expected_{};  // the peer's tag
  bool share_taken_ = false;
  pake::state state_ = state::exchanging;
  failure why_ = failure::none;
};

}  // namespace nat::pake
