#pragma once

// The connection's body. channels.cpp opens and closes channels, transfer.cpp moves messages,
// connection.cpp composes the layers. Internal to protocol/datachannel.

#include <deque>
#include <map>

#include "protocol/datachannel/connection.hpp"
#include "protocol/datachannel/dcep.hpp"
#include "protocol/dtls/connection.hpp"
#include "protocol/sctp/association.hpp"

namespace nat::datachannel {

struct channel {
  channel_options options;
  bool by_peer = false;
  bool acknowledged = false;  // until then even an unordered channel sends in order (RFC 8832, 6)
  bool wants_room = false;    // send() has said no
  bool closing = false;       // by us, or in answer to the peer
  bool reset_asked = false, outgoing_reset = false, incoming_reset = false;
  std::size_t queued = 0;  // bytes in state::queue
};

struct outgoing {
  channel_id id;
  sctp::delivery how;
  bytes data;
  std::size_t taken = 0;  // by the association
};

struct connection::state {
  state(connection_config c, const dtls::certificate& own, time_point when)
      : config(std::move(c)),
        secure({config.role, config.remote, config.initial_rtt, config.mtu}, own, when),
        now(when) {}

  // connection.cpp
  void step(time_point when);  // after anything has happened
  void look_at_dtls();
  void start_association();
  void receive();
  bool read_all();
  void handle(const sctp::event&);
  void end_in_order();
  void fail(failure, std::string detail);
  [[nodiscard]] bool has_room() const;
  void emit_writable();

  // channels.cpp
  std::optional<channel_id> open(const channel_options&);
  void close(channel_id);
  void ask_reset(channel_id, channel&);
  void handle_up(const sctp::up&);
  void handle_reset(const sctp::streams_reset&);
  void handle_dcep(channel_id, byte_view message);
  void erase_if_closed(channel_id);
  void send_control(channel_id, bytes message);

  // transfer.cpp
  bool send(channel_id, byte_view data, bool binary);
  void flush_queue();
  void handle_piece(const sctp::received&);
  void deliver(channel_id, payload);

  connection_config config;
  dtls::connection secure;
  std::optional<sctp::association> association;
  std::map<channel_id, channel> channels;
  std::uint16_t streams = 1024;  // ids beyond are not to be had
  std::deque<outgoing> queue;
  std::size_t queued = 0;  // bytes in it
  std::deque<event> events;
  std::size_t undelivered = 0;  // bytes of messages in it
  bytes assembling;
  bool secured_told = false, established_told = false, ended = false;
  bool paused = false, ending = false, shutdown_sent = false;
  bool peer_gone = false;  // it has said close_notify; what it sent before may wait to be read
  time_point now;
};

}  // namespace nat::datachannel
