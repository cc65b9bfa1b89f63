#pragma once

// DTLS 1.2 (RFC 6347) between two holders of self-signed certificates that know each other's
// fingerprint (RFC 8122, RFC 8827, 6.5), over any datagram path. No sockets, no clock:
//
//   1. handle_datagram(what arrived, now), then poll_received() until it is empty
//   2. send(plaintext)                       once `state()` is connected
//   3. poll_transmit() until it is empty
//   4. handle_timeout(now) when next_timeout() is due
//   5. look at state()
//
// Left out on purpose: DTLS 1.0 and 1.1, renegotiation, resumption, the cookie exchange (the path
// has passed ICE's check, so its far end is no forged address), and certificate chains: the
// fingerprint is all the trust there is.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/bytes.hpp"
#include "protocol/base/time.hpp"
#include "protocol/dtls/batch.hpp"
#include "protocol/dtls/certificate.hpp"

namespace nat::dtls {

enum class role : std::uint8_t { client, server };

struct connection_config {
  dtls::role role = dtls::role::client;
  fingerprint remote;                                     // what the peer's certificate hashes to
  duration initial_rtt = std::chrono::milliseconds{100};  // retransmission starts at three of it
  std::size_t mtu = 1'200;                                // bytes of a datagram of ours
};

enum class state : std::uint8_t { handshaking, connected, closed, failed };
enum class failure : std::uint8_t { none, fingerprint_mismatch, handshake, timeout };

struct counters {
  std::uint64_t dropped = 0;  // no DTLS, a replay, a forgery, or beyond what is kept
  std::uint64_t retransmitted_flights = 0;
};

class connection {
 public:
  // Data that overtakes the handshake's last flight is kept, this many datagrams of it.
  static constexpr std::size_t max_early_datagrams = 32;

  // `own` outlives the connection. A client's first flight is queued at once.
  connection(connection_config, const certificate& own, time_point now);
  ~connection();
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;

  // `datagram` stays where it is until poll_received() has returned nullopt.
  void handle_datagram(byte_view datagram, time_point now);
  void handle_timeout(time_point now);
  // One decrypted record, valid until the next call of any member.
  [[nodiscard]] std::optional<byte_view> poll_received(time_point now);

  // One record in one datagram of its own, of max_plaintext() bytes at most. False: not connected.
  bool send(byte_view plaintext);
  // Says close_notify; nothing is sent afterwards.
  void close();
  void set_rtt(duration);  // used from the next flight on

  [[nodiscard]] std::optional<batch> poll_transmit();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] dtls::state state() const;
  [[nodiscard]] failure why() const;         // where state() is failed
  [[nodiscard]] std::string detail() const;  // of the failure; completes "failed to …"
  [[nodiscard]] std::string cipher() const;  // where connected
  [[nodiscard]] const fingerprint& peer() const;
  [[nodiscard]] std::size_t max_plaintext() const;
  [[nodiscard]] const dtls::counters& counters() const;

 private:
  struct body;
  std::unique_ptr<body> body_;
};

}  // namespace nat::dtls
