#pragma once

// The server's part in a cluster, on the event loop that it is given: drives the member over two
// connections to Redis. Other threads reach it by receive() only.

#include <functional>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "signaling/cluster/member.hpp"
#include "signaling/hub/cluster_gauges.hpp"
#include "signaling/io/inbox.hpp"
#include "signaling/io/redis_host.hpp"
#include "signaling/io/redis_line.hpp"

namespace nat::signaling::io {

class event_loop;

class cluster_service {
 public:
  // `deliver` takes an envelope for any loop. Without `tls`, in the clear.
  cluster_service(event_loop&, const cluster_url& redis, std::optional<tls::client_context> tls,
                  cluster::member::settings, random_source&,
                  std::function<void(hub::envelope&)> deliver);
  // On the loop's thread, or before it runs.
  void start();

  // From any thread, an envelope for cluster_place. False, and left as it is: too many wait.
  [[nodiscard]] bool receive(hub::envelope&);
  [[nodiscard]] const hub::fence& fence() const noexcept { return fence_; }

  // On the loop's thread.
  [[nodiscard]] bool up() const noexcept { return member_.state() == cluster::state::up; }
  [[nodiscard]] hub::cluster_gauges look() const;

 private:
  line_events events_of(cluster::line);
  redis_line& line_of(cluster::line);
  void connect(cluster::line);
  void take_inbox();
  void carry_out();
  void note_state();
  void arm();

  event_loop& loop_;
  hub::fence fence_;
  cluster::member member_;
  std::optional<stun::io::name_lookup> lookup_;
  redis_host host_;
  std::optional<tls::client_context> tls_;
  redis_line commands_, inbox_line_;
  boost::asio::steady_timer timer_;
  std::function<void(hub::envelope&)> deliver_;
  inbox inbox_;
  std::optional<time_point> armed_;
  std::string told_;
  cluster::state told_state_ = cluster::state::away;
  std::uint64_t told_lapses_ = 0;
  bool carrying_out_ = false;
};

}  // namespace nat::signaling::io
