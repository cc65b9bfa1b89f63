#pragma once

// Asks the gateways for ports: PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP IGD 1 and 2, all at
// once, for any number of sockets. Pure; drive loop as in ice/agent.hpp. Datagrams leave through
// the sockets that the mappings are for; what needs TCP is an event that the driver answers.
//
// All three are asked what they are at once, but one mapping is enough: PCP's first request is a
// mapping already; NAT-PMP maps when PCP has said no or nothing for `grace`; UPnP when neither
// does.

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ice/portmap/lease.hpp"
#include "protocol/base/path.hpp"

namespace nat::portmap {

enum class protocol : std::uint8_t { pcp, nat_pmp, upnp };
[[nodiscard]] std::string_view to_string(protocol) noexcept;  // pcp, nat-pmp, upnp

struct mapper_config {
  bool pcp = true, nat_pmp = true, upnp = true;
  lease_rules lease;
  duration grace = std::chrono::milliseconds{100};
  std::size_t max_pairs = 16;  // (socket, gateway)
  std::size_t max_events = 256, max_outbox = 256;
};

struct mapping {
  protocol how;
  address gateway;
  endpoint base, external;  // equal for an IPv6 pinhole
  std::chrono::seconds lifetime;
  duration took;                          // since the gateway was asked first
  [[nodiscard]] std::string via() const;  // "pcp:192.168.1.1"
};

// Also when the external address or port has changed.
struct mapped {
  mapping what;
};
// It ran out, was refused at renewal, or its socket is gone.
struct unmapped {
  mapping what;
};
// The gateway speaks this protocol. Said once, and again when the address has changed.
struct answered {
  protocol how;
  address gateway;
  endpoint base;
  std::optional<address> external;  // the router's own, as far as it has told
};
struct refused {
  protocol how;
  address gateway;
  endpoint base;
  std::string reason;  // completes "the gateway refused: …"
};
// To be answered by exchange_done(id, …): connect from `from` to `to`, send, and read until
// http::is_complete, the connection's end, or a few seconds have passed.
struct tcp_exchange {
  std::uint32_t id;
  address from;
  endpoint to;
  std::string request;
};
using mapper_event = std::variant<mapped, unmapped, answered, refused, tcp_exchange>;

class mapper {
 public:
  mapper(mapper_config, random_source&);
  ~mapper();
  mapper(mapper&&) noexcept;
  mapper& operator=(mapper&&) noexcept;

  // The gateways of the socket's interface, as they are from here on. Nothing is asked for sockets
  // that need no port: IPv4 addresses that are not private, loopback, link-local.
  void set_gateways(const endpoint& base, const std::vector<address>& gateways, time_point now);
  void remove(const endpoint& base, time_point now);

  // Whether it was a gateway's answer. `from.local` is the base.
  bool handle_datagram(const path& from, byte_view datagram, time_point now);
  // What came to port 5350 (RFC 6887, 14.1; RFC 6886, 3.2.1) from a gateway's port 5351.
  void handle_announcement(const endpoint& from, byte_view datagram, time_point now);
  void handle_send_failure(const path&, time_point now);
  void exchange_done(std::uint32_t id, std::optional<std::string_view> received, time_point now);
  void handle_timeout(time_point now);

  // Deletes what it has asked for; `released` once the gateways have confirmed, or not for 2 s.
  void release(time_point now);
  [[nodiscard]] bool released() const;
  // Every gateway has mapped, refused, or been silent for most of a second in every protocol.
  [[nodiscard]] bool settled(time_point now) const;
  [[nodiscard]] std::vector<mapping> mappings() const;

  [[nodiscard]] std::optional<transmit> poll_transmit();
  [[nodiscard]] std::optional<mapper_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::portmap
