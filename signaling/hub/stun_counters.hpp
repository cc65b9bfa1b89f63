#pragma once

// What one event loop's STUN and TURN server has counted since its start. Sums of several loops'
// are made by +=.

#include <cstdint>

#include "stun/turn/server.hpp"

namespace nat::hub {

struct stun_counters {
  std::uint64_t requests = 0, answers = 0;  // messages in that were not relayed data; answers
  std::uint64_t datagrams_out = 0, datagrams_lost = 0;  // handed to the kernel, refused by it
  std::uint64_t relay_sockets_failed = 0;               // that the system would not open
  std::uint64_t streams = 0, streams_opened = 0;        // TCP and TLS connections
  std::uint64_t streams_dropped = 0;                    // messages that found a full queue
  std::uint64_t streams_flooded = 0;                    // ended for asking too much
  turn::server_counters turn;

  stun_counters& operator+=(const stun_counters& other) noexcept {
    requests += other.requests;
    answers += other.answers;
    datagrams_out += other.datagrams_out;
    datagrams_lost += other.datagrams_lost;
    relay_sockets_failed += other.relay_sockets_failed;
    streams += other.streams;
    streams_opened += other.streams_opened;
    streams_dropped += other.streams_dropped;
    streams_flooded += other.streams_flooded;
    turn.allocations += other.turn.allocations;
    turn.created += other.turn.created;
    turn.expired += other.turn.expired;
    turn.released += other.turn.released;
    turn.packets_to_peers += other.turn.packets_to_peers;
    turn.bytes_to_peers += other.turn.bytes_to_peers;
    turn.packets_to_clients += other.turn.packets_to_clients;
    turn.bytes_to_clients += other.turn.bytes_to_clients;
    for (std::size_t i = 0; i < turn.refused.size(); ++i) turn.refused[i] += other.turn.refused[i];
    turn.malformed += other.turn.malformed;
    turn.no_allocation += other.turn.no_allocation;
    turn.no_permission += other.turn.no_permission;
    turn.limited += other.turn.limited;
    return *this;
  }
};

}  // namespace nat::hub
