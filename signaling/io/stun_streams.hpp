#pragma once

// STUN and TURN over TCP and TLS (RFC 8489, 6.2.2; RFC 8656) on one event loop: connections that
// carry whole messages both ways. The first octet of a connection tells TLS from plain STUN, so
// that both share a port. What the messages mean is the stun_service's business.
//
// What is for a client is gathered for a batch of the poller and leaves in one write. A client that
// is slower than what is relayed to it loses datagrams, as a network would lose them; one that does
// not even read answers is not listened to until it does.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "protocol/base/path.hpp"
#include "signaling/hub/keyed_hash.hpp"
#include "signaling/hub/limits.hpp"
#include "signaling/hub/stun_counters.hpp"
#include "signaling/hub/token_bucket.hpp"
#include "signaling/io/byte_stream.hpp"
#include "signaling/io/memory_budget.hpp"
#include "signaling/io/poller.hpp"
#include "signaling/io/relay_service.hpp"

namespace nat::signaling::io {

class stun_service;

class stun_streams final : public client_door {
 public:
  static constexpr std::size_t max_relayed_waiting = 256U << 10;  // octets for one client
  static constexpr std::size_t max_waiting = 512U << 10;          // answers included
  // Without an allocation, whatever else clients may say: what making one takes, and to spare.
  static constexpr double min_messages_per_second = 5, min_burst = 20;
  // Without an allocation nothing longer has a meaning.
  static constexpr std::size_t max_message_unallocated = 4096;

  struct surroundings {
    poller& poll;
    workspace& work;
    memory_budget& memory;
    stun_service& stun;
    const time_point& now;
    const hub::limits& limits;
    random_source& random;
    std::function<void(const std::optional<address>&)> left;  // of a connection's end
  };
  explicit stun_streams(surroundings);
  ~stun_streams() override;

  // A connection that was let in for `client`. `first`: what was already read of it.
  void take(byte_stream, const endpoint& remote, const std::optional<address>& client,
            byte_view first = {});
  // For connections that start with TLS; nullptr: none may.
  void use_tls(std::shared_ptr<const tls::server_context> context) { tls_ = std::move(context); }

  void forward(const turn::to_client&) override;
  void answer(const transmit&) override;
  // At the end of each batch.
  void flush();
  // Ends those that have been idle for too long.
  void tick();
  // Adds those that keep something; they live until the next flush.
  void list_keepers(std::vector<keeper>&) const;

  struct counters {
    std::uint64_t open = 0, opened = 0, dropped = 0, flooded = 0;
  };
  [[nodiscard]] counters stats() const noexcept {
    return {streams_.size(), opened_, dropped_, flooded_};
  }

 private:
  class stream;
  struct path_hash : hub::keyed_hash {
    using keyed_hash::keyed_hash;
    std::size_t operator()(const path&) const noexcept;
  };
  [[nodiscard]] stream* find(const path&) const;
  [[nodiscard]] bool overdue(const stream&) const;
  void bury(stream&);
  [[nodiscard]] hub::token_bucket full_bucket() const {
    return {std::max(in_.limits.messages_per_second, min_messages_per_second),
            std::max(in_.limits.burst(), min_burst), in_.now};
  }

  surroundings in_;
  duration patience_;  // for the first message, and for the rest of one
  duration idle_;      // without an allocation; zero: for ever
  std::shared_ptr<const tls::server_context> tls_;
  std::unordered_map<path, std::unique_ptr<stream>, path_hash> streams_;
  std::vector<stream*> dirty_, flushing_;
  std::vector<std::unique_ptr<stream>> ended_;  // within a batch, which may still name them
  std::uint64_t opened_ = 0, dropped_ = 0, flooded_ = 0;
};

// Whether a connection's first octets may be STUN rather than HTTP or TLS (RFC 7983).
[[nodiscard]] inline bool starts_stun(byte_view octets) noexcept {
  return !octets.empty() && octets[0] <= std::byte{3};
}

}  // namespace nat::signaling::io
