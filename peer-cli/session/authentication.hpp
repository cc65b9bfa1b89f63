#pragma once

// Both ends prove that they know the shared secret, over a data channel of the connection that the
// proof is bound to: CPace (protocol/pake) with both DTLS fingerprints and both names in its
// channel identifier. Whoever relays or terminates the DTLS in between has other fingerprints, so
// the confirmations don't match; and each attempt costs a guesser one whole connection.
//
// Binary messages over the channel "auth": each side's share, each side's confirmation, and from
// the responder one octet more: it has verified us, so that what we send on other channels, which
// may overtake this one, finds it ready.

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/bytes.hpp"
#include "protocol/base/random.hpp"
#include "protocol/dtls/certificate.hpp"
#include "protocol/pake/cpace.hpp"

namespace nat::session {

inline constexpr char authentication_label[] = "auth";

struct authentication_config {
  bool initiator;  // the offerer
  std::string secret;
  std::string initiator_id, responder_id;
  dtls::fingerprint initiator_certificate, responder_certificate;
};

class authentication {
 public:
  authentication(const authentication_config&, random_source&);

  enum class progress : std::uint8_t { going_on, proven, refused };
  // The next message to the other end, if there is one.
  [[nodiscard]] std::optional<bytes> poll_message();
  // `refused`: the other end does not know the secret, or the connection is not the one it sees.
  progress handle(byte_view message);

 private:
  bool initiator_;
  std::unique_ptr<pake::cpace> exchange_;
  std::deque<bytes> outbox_;
};

}  // namespace nat::session
