#pragma once

// The embedded STUN and TURN server of one event loop, over UDP and, by stun_streams, over TCP and
// TLS: Binding answered statelessly
// (stun/server.hpp), to the sender and nobody else, from the address that was asked or, by RFC
// 5780, from another of the four that an alternate address makes; all else is the relay_service's,
// where there is one.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "signaling/hub/stun_counters.hpp"
#include "signaling/io/poller.hpp"
#include "signaling/io/relay_service.hpp"
#include "signaling/io/sockets.hpp"
#include "stun/io/gather_queue.hpp"
#include "stun/server.hpp"

namespace nat::signaling::io {

class stun_service final : private client_door {
 public:
  // `now`: the time at the start of the loop's current batch.
  stun_service(poller&, const time_point& now);
  ~stun_service() override;

  // Throws boost::system::system_error where the address can't be had, startup_error where the
  // socket can't be watched. The port is shared with other loops' sockets (SO_REUSEPORT).
  void add(const endpoint&);
  // Gives the socket at `primary`, which was added and is no wildcard, the three that RFC 5780 asks
  // for beside it. Another address and port of the same family.
  void add_alternate(const endpoint& primary, const endpoint& alternate);
  void serve_relays(turn::server_config, random_source&);
  [[nodiscard]] bool has_sockets() const noexcept { return !fronts_.empty(); }
  // Whose paths are those of transport::tcp.
  void use_streams(client_door& streams) noexcept { streams_ = &streams; }
  void tick(std::int64_t unix_seconds);

  // For stun_streams: one message; false: nothing that has a meaning here. flush() comes before the
  // message changes.
  bool handle_stream_message(const path& from, byte_view message);
  void handle_stream_closed(const path&);
  [[nodiscard]] bool has_allocation(const path&) const;
  void flush() { queue_.flush(); }

  [[nodiscard]] hub::stun_counters stats() const noexcept;

 private:
  class front;
  // The four sockets of RFC 5780, by the door they are (stun/server.hpp).
  struct behavior {
    stun::behavior_addresses addresses;
    std::array<const front*, 4> doors;
    [[nodiscard]] static std::size_t index(const stun::server_door& door) noexcept {
      return (door.alternate_ip ? 2U : 0U) + (door.alternate_port ? 1U : 0U);
    }
  };

  void take(front&);
  void dispatch(const front&, const path& from, byte_view datagram);
  void answer_behavior(const front&, const path& from, byte_view request);
  void send(const front&, const path& reply, byte_view made_elsewhere);
  void forward(const turn::to_client&) override;
  void answer(const transmit&) override;
  [[nodiscard]] const front* front_of(const endpoint& local) const noexcept;

  poller& poller_;
  const time_point& now_;
  stun::io::gather_queue queue_;
  std::vector<std::unique_ptr<front>> fronts_;
  std::vector<std::unique_ptr<behavior>> behaviors_;
  std::unique_ptr<relay_service> relays_;
  client_door* streams_ = nullptr;
  std::uint64_t requests_ = 0, answers_ = 0;
};

}  // namespace nat::signaling::io
