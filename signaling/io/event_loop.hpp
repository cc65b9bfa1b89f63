#pragma once

// One thread's event loop: its share of the listening sockets (SO_REUSEPORT), the connections that
// they accepted, and the exchange that knows what to do. Other threads reach it by post() and
// receive() only.

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "signaling/hub/exchange.hpp"
#include "signaling/hub/histogram.hpp"
#include "signaling/hub/recent_peak.hpp"
#include "signaling/hub/trusted_proxies.hpp"
#include "signaling/io/connection.hpp"
#include "signaling/io/event_log.hpp"
#include "signaling/io/inbox.hpp"
#include "signaling/io/memory_budget.hpp"
#include "signaling/io/poller.hpp"
#include "signaling/io/shared_state.hpp"
#include "signaling/io/sockets.hpp"
#include "signaling/io/stun_service.hpp"
#include "signaling/io/stun_streams.hpp"

namespace nat::signaling::io {

// What the loops have in common; outlives them.
struct shared_parts {
  const hub::limits& limits;
  shared_directory& names;
  shared_admission& door;
  shared_penalties& penalties;
  memory_budget& memory;
  const hub::trusted_proxies& proxies;
  const std::vector<std::string>& allowed_origins;  // empty: all
  random_source& random;                            // of the system, so for any thread
  std::function<void(hub::envelope&)> deliver;      // to the loop that it names; any thread
};

class listener;

class event_loop {
 public:
  event_loop(std::uint32_t number, const shared_parts&);
  ~event_loop();

  // Before run().
  void add_listener(socket_handle, purpose);
  void add_stun(const endpoint& where) { stun_.add(where); }
  void add_stun_alternate(const endpoint& primary, const endpoint& alternate) {
    stun_.add_alternate(primary, alternate);
  }
  void serve_relays(turn::server_config);
  [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
  // Until stop() or the end of a drain.
  void run();

  // `work` runs after every batch of events, before what waits is written. Names are claimed in
  // the cluster that has this fence.
  void after_each_batch(std::function<void()> work) { after_batch_ = std::move(work); }
  void join_cluster(const hub::fence& f) { exchange_.join_cluster(f); }

  // From any thread. False, and the envelope left as it is: a message found the inbox full.
  [[nodiscard]] bool receive(hub::envelope&);
  void post(std::function<void()>);
  void stop() { context_.stop(); }

  // It has come round in the last five seconds, or has just been made.
  [[nodiscard]] bool turned(time_point now) const noexcept;

  // On this loop's thread.
  void drain(duration over, std::function<void()> on_empty);
  void use_access(std::shared_ptr<const hub::access> policy) {
    exchange_.use_access(std::move(policy));
  }
  // For connections from here on; nullptr: in the clear.
  void use_tls(std::shared_ptr<const tls::server_context> context) {
    streams_.use_tls(context);
    tls_ = std::move(context);
  }
  // To clients that register from here on.
  void announce(hub::announcement plan) { announcement_ = std::move(plan); }
  struct snapshot {
    hub::counters counted;
    hub::rejection_counts rejected{};  // connections beyond a limit
    hub::stun_counters stun;
    workspace::tls_counters tls;
    hub::histogram forwarding{}, lag{};
    double lag_seconds = 0;  // how late the tick was, the worst of the last minute
  };
  [[nodiscard]] snapshot look() const;

  // For its connections.
  [[nodiscard]] hub::exchange& exchange() noexcept { return exchange_; }
  [[nodiscard]] poller& poll() noexcept { return poller_; }
  void update_clock();
  [[nodiscard]] time_point now() const noexcept { return now_; }
  [[nodiscard]] std::size_t max_message() const noexcept;
  [[nodiscard]] workspace& work() noexcept { return work_; }
  [[nodiscard]] event_log& log() noexcept { return log_; }
  [[nodiscard]] memory_budget& memory() noexcept { return shared_.memory; }
  void accepted(socket_handle, const endpoint& remote, const listener& by);
  // It speaks STUN, not HTTP; `first` is what was read of it.
  void hand_over(connection&, byte_view first);
  // Where STUN is served, its wss ports serve it too.
  [[nodiscard]] bool serves_stun() const noexcept { return stun_.has_sockets(); }
  [[nodiscard]] bool speaks_tls() const noexcept { return tls_ != nullptr; }
  // Whom an accepted connection counts for, nullopt as long as only its proxy is known; false: too
  // many.
  [[nodiscard]] bool admit(const address& peer);
  void out_of_descriptors();
  [[nodiscard]] std::optional<address> client_at(const address& peer) const;
  [[nodiscard]] address client_of(const connection&, std::string_view forwarded_for) const;
  // The client behind a trusted proxy is known. False: it has too many.
  [[nodiscard]] bool identify(connection&, std::string_view forwarded_for);
  [[nodiscard]] bool allows_origin(std::string_view) const;
  [[nodiscard]] std::uint32_t open(connection&, const address& reached);
  void closed(connection&, hub::ending);
  void carry_out();
  void flush_later(connection&);
  // Unless the cluster may have given its name away.
  void flush_early(connection&);
  void expect_end(const connection&);
  void bury(connection&);

 private:
  struct expectation {
    time_point when;
    std::uint32_t index;
    std::uint64_t serial;
    connection::phase phase;
  };
  void turned_away(const address& client, hub::rejection);
  void start_batch();
  void flush_all();
  void drop_if_fenced();
  void tick();
  void arm_tick();
  void note_lag(duration late);
  void note_delivered(time_point arrived);
  void note_written();
  void check(std::deque<expectation>&);
  void expect(std::deque<expectation>&, const connection&, duration);
  void carry_out(const hub::output&);
  void take_inbox();
  void relieve_memory();
  void end_for_memory(connection&);

  const std::uint32_t number_;
  const shared_parts& shared_;
  boost::asio::io_context context_{1};
  poller poller_;
  boost::asio::steady_timer tick_;
  time_point now_;
  event_log log_{now_};
  hub::announcement announcement_;
  hub::exchange exchange_;
  std::vector<std::unique_ptr<listener>> listeners_;
  workspace work_;
  stun_service stun_;
  stun_streams streams_;
  std::vector<std::unique_ptr<connection>> connections_;  // by index
  std::vector<std::uint64_t> serials_;                    // of each index' use
  std::vector<std::uint32_t> free_indexes_;
  std::vector<connection*> by_slot_;
  std::vector<connection*> dirty_, flushing_, buried_;
  std::deque<expectation> handshakes_, ends_;
  std::shared_ptr<const tls::server_context> tls_;
  inbox inbox_;
  std::function<void()> on_empty_, after_batch_;
  std::atomic<time_point> ticked_;  // the one thing of it that other threads read
  std::size_t alive_ = 0;
  hub::rejection_counts rejected_{};
  hub::recent_peak<duration> worst_lag_;
  hub::histogram forwarding_, lag_;
  struct unwritten {
    time_point arrived;
    std::uint64_t messages;
  };
  std::vector<unwritten> unwritten_;  // of this batch
  std::uint64_t delivered_ = 0;
};

// Accepts for a loop.
class listener final : public pollable {
 public:
  listener(event_loop&, socket_handle, purpose);
  void handle_ready(std::uint32_t events) override;
  void close();
  // Now and then: it may have gone to rest for want of descriptors.
  void wake();
  [[nodiscard]] purpose what() const noexcept { return purpose_; }
  // The local address that a connection, accepted here, was made to.
  [[nodiscard]] address reached_by(int descriptor) const;

 private:
  void out_of_descriptors();
  void rest();
  event_loop& loop_;
  socket_handle socket_, reserve_;
  address where_;
  purpose purpose_;
  bool resting_ = false;
};

}  // namespace nat::signaling::io
