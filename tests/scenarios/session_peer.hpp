#pragma once

// The whole peer of peer-cli/session on a simulated host, and the signaling server's hub between
// two of them: registration, offers, trickle, ICE, DTLS, SCTP, all as in production, on virtual
// time. Only the WebSocket is replaced: a text takes `delay` from a peer to the hub and as long
// back.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "peer-cli/session/echo.hpp"
#include "peer-cli/session/peer.hpp"
#include "peer-cli/session/pinger.hpp"
#include "signaling/hub/exchange.hpp"
#include "signaling/hub/registry.hpp"
#include "tests/sim/relay_node.hpp"

namespace nat::scenarios {

class session_peer;

class office {
 public:
  office(sim::world&, const endpoint& server, std::string turn_secret, duration delay);

  void open(session_peer&, session::signaling_id);
  void text(session_peer&, session::signaling_id, std::string);
  void close(session_peer&, session::signaling_id);

  // What can go wrong. A cut connection takes what is on its way with it; both ends see it break.
  void cut(session_peer&);
  // Registrations are answered with this code; empty: they are let through.
  std::string refuses;
  // No connection is made.
  bool unreachable = false;
  // Sees each text from a peer; true: it is lost.
  std::function<bool(const session_peer&, const std::string&)> loses;

 private:
  using connection = std::pair<session_peer*, session::signaling_id>;
  void flush();
  void tell(const connection&, std::string);

  sim::world& world_;
  endpoint server_;
  duration delay_;
  hub::limits limits_;
  hub::announcement announcement_;
  hub::registry registry_;
  hub::penalties guessers_;
  hub::exchange exchange_;
  std::map<std::uint32_t, connection> clients_;
};

class session_peer final : public sim::node {
 public:
  session_peer(sim::world&, sim::host&, office&, session::peer_config);
  ~session_peer() override;

  // Sent over a data channel as soon as the link is ready; the other side sends as much back.
  std::size_t to_send = 0;
  // Or this peer pings the other, which answers as `listen` does.
  std::optional<session::ping_config> pings;

  struct log {
    std::vector<time_point> registrations;
    std::vector<session::signaling_lost> losses;
    std::vector<session::signaling_not_refreshed> not_refreshed;
    std::optional<time_point> registered, offered, path, secured, ready;
    std::vector<std::pair<time_point, ice::connected>> paths;
    std::optional<session::failure> failure;
    std::size_t received = 0;
    bool whole = true;  // what came is what was sent, in order
    bool ended = false;
    std::vector<session::round_trip> round_trips;
  };
  [[nodiscard]] const log& seen() const { return log_; }
  session::peer& peer() { return peer_; }
  [[nodiscard]] nat::address address() const { return host_.v4(); }

  void handle_datagram(const path& from, byte_view data, time_point now) override;
  void handle_send_failure(const path& via, time_point now) override;
  void handle_stream_opened(const path&, std::uint32_t id, time_point now) override;
  void handle_stream_closed(const path&, std::uint32_t id, time_point now) override;
  void handle_timeout(time_point now) override;
  std::optional<transmit> poll_transmit() override;
  [[nodiscard]] std::optional<time_point> next_timeout() const override;

 private:
  void drain(time_point now);
  void carry_out(const session::request&);
  void note(const session::peer_event&, time_point now);
  void take(const datachannel::message&, time_point now);
  void send_more(time_point now);
  void start(time_point now);
  void ping(time_point now);

  sim::world& world_;
  sim::host& host_;
  office& office_;
  dtls::certificate certificate_;
  session::peer peer_;
  log log_;
  std::optional<datachannel::channel_id> channel_;
  std::size_t sent_ = 0;
  session::echo echo_;
  std::optional<session::pinger> pinger_;
};

}  // namespace nat::scenarios
