#pragma once

// Binding client, RFC 8489, 6.2 and 6.3: one question to one server, over UDP with retransmission
// or over a stream that the caller keeps. No sockets, no clock; the drive loop is that of
// ice/agent.hpp, and ends with the first event. Public servers ask for no credentials; where one
// does (401), the long-term mechanism is used (9.2).

#include <optional>
#include <string>
#include <variant>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"
#include "stun/long_term.hpp"
#include "stun/message.hpp"
#include "stun/transaction.hpp"

namespace nat::stun {

struct client_config {
  path server;                 // proto: how it is reached; local: our door; remote: the server
  retransmission timing = {};  // `reliable` follows from server.proto
  std::string software = {};   // sent as SOFTWARE; empty: not sent
  bool fingerprint = true;     // the socket is shared with other protocols
  // For servers that ask; prepared text (opaque_string). Empty: a 401 is the answer.
  std::string username = {}, password = {};
};

struct binding_answer {
  endpoint mapped;       // our address as the server sees it
  bool xored;            // false: by MAPPED-ADDRESS, which some NATs rewrite
  endpoint from;         // where the answer came from
  std::string software;  // empty: not said
  duration rtt;          // of the last request, since its first sending: exact where sends is 1,
                         // else an upper bound
  unsigned sends;
};

struct binding_failure {
  enum class cause : std::uint8_t {
    no_answer,
    refused,
    unusable_answer,
    connection_closed,
    not_authentic  // answers came, none that knew the password
  };
  cause why;
  int code = 0;                            // refused: the STUN error code
  std::string reason = {};                 // refused: what the server says
  std::optional<endpoint> alternate = {};  // 300: ask there instead, once (RFC 8489, 10)
};

using binding_event = std::variant<binding_answer, binding_failure>;

class client {
 public:
  // The request is ready at once. The source outlives the client.
  client(client_config, random_source&, time_point now);

  // False: not an answer to this client, hand it to the next protocol.
  bool handle_datagram(const path& from, byte_view datagram, time_point now);
  void handle_timeout(time_point now);
  void handle_stream_closed(time_point now);

  [[nodiscard]] std::optional<transmit> poll_transmit();
  // One at most.
  [[nodiscard]] std::optional<binding_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  void begin(time_point now);
  void finish(binding_event);
  // What a response leads to; nullopt: nothing yet.
  [[nodiscard]] std::optional<binding_event> consider(const message_view& response,
                                                      const endpoint& from, time_point now);
  [[nodiscard]] binding_event judge(const message_view& response, const endpoint& from,
                                    time_point now) const;

  client_config config_;
  random_source* random_;
  long_term_session session_;
  transaction_id id_;
  bytes request_;
  time_point started_;
  retransmit_timer timer_;
  bool to_send_ = false, done_ = false;
  bool signed_ = false;    // the request under way
  bool tampered_ = false;  // an answer to it did not authenticate
  std::optional<binding_event> event_;
};

}  // namespace nat::stun
