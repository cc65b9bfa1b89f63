#include "signaling/io/server.hpp"

#include <sys/resource.h>

#include <signal.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <thread>

#include <boost/asio/signal_set.hpp>

#include "protocol/base/hex.hpp"
#include "protocol/crypto/system_random.hpp"
#include "signaling/hub/metrics.hpp"
#include "signaling/io/access_file.hpp"
#include "signaling/io/admin.hpp"
#include "signaling/io/announcing.hpp"
#include "signaling/io/cluster_service.hpp"
#include "signaling/io/event_loop.hpp"
#include "signaling/io/listening.hpp"
#include "signaling/io/ready_file.hpp"
#include "signaling/io/relay_config.hpp"
#include "signaling/io/service_manager.hpp"
#include "signaling/io/shared_ledger.hpp"
#include "signaling/io/tls_files.hpp"

namespace nat::signaling::io {

namespace {

using namespace std::chrono_literals;

// Within the 5 s that are promised, all are told and have a second to go.
constexpr auto departure = 3s, drain_timeout = 4s;

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t handled_signals() {
  sigset_t all;
  ::sigemptyset(&all);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&all, number);
  return all;
}

void add(const event_loop::snapshot& seen, hub::counters& counted, hub::gauges& g) {
  counted += seen.counted;
  for (std::size_t i = 0; i < hub::rejections; ++i) g.connections_rejected[i] += seen.rejected[i];
  g.stun += seen.stun;
  g.tls_handshakes += seen.tls.handshakes;
  g.tls_resumed += seen.tls.resumed;
  g.tls_failed += seen.tls.failed;
  g.forwarding += seen.forwarding;
  g.lag += seen.lag;
  g.event_loop_lag_seconds = std::max(g.event_loop_lag_seconds, seen.lag_seconds);
}

// All loops but the first, which the caller runs, each on a thread of its own; at the end, or where
// the caller gives up, they are stopped.
class loop_threads {
 public:
  explicit loop_threads(const std::vector<std::unique_ptr<event_loop>>& loops) : loops_(loops) {}
  ~loop_threads() {
    for (const auto& loop : loops_) loop->stop();
  }
  loop_threads(const loop_threads&) = delete;
  loop_threads& operator=(const loop_threads&) = delete;

  void start() {
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      threads_.emplace_back([&loop = *loops_[i]] { loop.run(); });
    }
  }

 private:
  const std::vector<std::unique_ptr<event_loop>>& loops_;
  std::vector<std::jthread> threads_;
};

class server {
 public:
  explicit server(const options& o)
      : options_(o),
        names_(o.limits, random_),
        door_(o.limits, random_),
        penalties_(random_),
        memory_(o.limits.total_queue_bytes, o.threads),
        proxies_(o.trusted_proxies),
        relay_books_(relay_limits(o)),
        shared_{options_.limits,
                names_,
                door_,
                penalties_,
                memory_,
                proxies_,
                options_.allowed_origins,
                random_,
                [this](hub::envelope& e) { deliver(e); }} {
    for (std::uint32_t i = 0; i < o.threads; ++i) {
      loops_.push_back(std::make_unique<event_loop>(i, shared_));
    }
    join_cluster();
    const auto files = read_files();
    addresses_ = listen(options_, loops_);
    addresses_.tls = files.tls != nullptr;
    listen_admin();
    announcement_ = plan_announcement(options_, addresses_, random_);
    serve_relays();
    use(files, [] {});
    loaded(files.expires());
  }

  int run() {
    boost::asio::signal_set signals(loops_[0]->context(), SIGTERM, SIGINT, SIGHUP);
    wait_for_signal(signals);
    {
      loop_threads others(loops_);
      others.start();
      announce_readiness();
      const auto held = handled_signals();
      ::pthread_sigmask(SIG_UNBLOCK, &held, nullptr);  // in this thread; it takes them all
      loops_[0]->run();
    }
    log_info("stopped");
    return 0;
  }

 private:
  // A loop that is too far behind is busy, as a client is.
  void deliver(hub::envelope& e) {
    if (hand_over(e)) return;
    hub::envelope refusal{.what = hub::envelope::type::busy,
                          .to = e.from,
                          .from = e.to,
                          .request = e.request,
                          .target = std::move(e.target),
                          .origin = std::move(e.origin)};
    (void)hand_over(refusal);
  }
  bool hand_over(hub::envelope& e) {
    return e.to.loop == hub::cluster_place ? cluster_->receive(e) : loops_[e.to.loop]->receive(e);
  }

  // On the first loop.
  void join_cluster() {
    if (!options_.cluster) return;
    std::array<std::byte, 8> node;
    random_.fill(node);
    cluster::member::settings settings{
        .node = to_hex(node), .user = options_.cluster_user, .password = options_.cluster_password};
    if (options_.cluster->tls) settings.unreachable += ", or speaks no TLS there";
    settings.database = options_.cluster->database;
    settings.loops = options_.threads;
    settings.resume_window = options_.limits.resume_window;
    settings.max_held = options_.limits.max_held_names;
    settings.max_held_per_site = options_.limits.max_held_names_per_address;
    cluster_ = std::make_unique<cluster_service>(*loops_[0], *options_.cluster,
                                                 read_cluster_tls(options_), std::move(settings),
                                                 random_, [this](hub::envelope& e) { deliver(e); });
    for (auto& loop : loops_) loop->join_cluster(cluster_->fence());
    loops_[0]->post([this] { cluster_->start(); });
  }

  void listen_admin() {
    if (!options_.admin) return;
    auto socket = listen_on(*options_.admin, purpose::admin, true);
    addresses_.admin = local_endpoint(socket.get());
    admin_ = std::make_unique<admin>(
        loops_[0]->context(), std::move(socket),
        admin_answers{[this] { return look_ready(); },
                      [this](std::function<void(std::string)> tell) { gather(std::move(tell)); }});
  }

  [[nodiscard]] readiness look_ready() const {
    readiness out;
    out.require("accepting", !draining_);
    const auto now = std::chrono::steady_clock::now();
    out.require("event loops",
                std::ranges::all_of(loops_, [now](const auto& l) { return l->turned(now); }));
    if (cluster_) out.require("cluster", cluster_->up());
    return out;
  }

  // Each loop relays for the clients that the kernel gives it.
  void serve_relays() {
    if (!announcement_.turn) return;
    auto config = relay_config(options_, announcement_.turn_secret, random_);
    config.books = &relay_books_;
    for (auto& loop : loops_) loop->serve_relays(config);
  }

  void announce_readiness() {
    if (!options_.ready_file.empty()) write_ready_file(options_.ready_file, addresses_);
    for (const auto& e : addresses_.websocket) {
      log_always("listening on " + (addresses_.scheme() + to_string(e)));
    }
    for (const auto& e : addresses_.stun) {
      log_always("listening on stun:" + to_string(e) +
                 (announcement_.turn ? ", which relays" : ""));
    }
    for (const auto& e : addresses_.stun_alternate) {
      log_always("listening on stun:" + to_string(e) + " (alternate, RFC 5780)");
    }
    if (addresses_.admin)
      log_always("listening on http://" + to_string(*addresses_.admin) + " (admin)");
    log_always("ready");
    tell_ready();
  }

  // Also for those that came before there was a server.
  void wait_for_signal(boost::asio::signal_set& signals) {
    signals.async_wait([this, &signals](boost::system::error_code stopped, int number) {
      if (stopped) return;
      if (number == SIGHUP) {
        reload();
        return wait_for_signal(signals);
      }
      if (draining_) return stop_all();  // asked twice
      leave();
      wait_for_signal(signals);
    });
  }

  // What SIGHUP reads again, and goes by.
  struct file_contents {
    std::shared_ptr<const hub::access> access;
    std::shared_ptr<const tls::server_context> tls;

    [[nodiscard]] std::optional<std::int64_t> expires() const {
      return tls ? std::optional(tls->expires()) : std::nullopt;
    }
  };
  file_contents read_files() { return {read_access(options_, random_), read_tls(options_)}; }

  // `in_force` is called on the first loop once every loop goes by them.
  void use(const file_contents& files, const std::function<void()>& in_force) {
    const auto plan = with_certificate(announcement_, options_, files.tls.get());
    const auto missing = std::make_shared<std::size_t>(loops_.size());
    for (auto& loop : loops_) {
      loop->post([this, &l = *loop, files, plan, in_force, missing] {
        l.announce(plan);
        l.use_access(files.access);
        l.use_tls(files.tls);
        loops_[0]->post([in_force, missing] {
          if (--*missing == 0) in_force();
        });
      });
    }
  }

  void loaded(std::optional<std::int64_t> certificate_expires) {
    loaded_at_ = std::time(nullptr);
    certificate_expires_ = certificate_expires;
  }

  // What can't be read leaves in force all that was read before.
  void reload() {
    tell_reloading();
    try {
      auto files = read_files();
      use(files, [this, expires = files.expires()] {
        ++reloads_done_;
        loaded(expires);
        log_info("reloaded");
        if (!draining_) tell_ready();
      });
    } catch (const startup_error& wrong) {
      ++reloads_failed_;
      log_error("not reloaded: " + wrong.message);
      if (!draining_) tell_ready("not reloaded: " + wrong.message);
    }
  }

  // From here on /readyz says no; who is here stays for the time in which balancers look elsewhere.
  void leave() {
    draining_ = true;
    tell_stopping();
    timer_ = std::make_unique<boost::asio::steady_timer>(loops_[0]->context());
    if (options_.drain_delay.count() == 0) return drain();
    log_info("stopping: telling everybody after --drain-delay");
    timer_->expires_after(options_.drain_delay);
    timer_->async_wait([this](boost::system::error_code stopped) {
      if (!stopped) drain();
    });
  }

  void drain() {
    log_info("stopping: telling everybody");
    still_busy_ = loops_.size();
    for (auto& loop : loops_) {
      loop->post([this, &l = *loop] {
        l.drain(departure, [this] {
          loops_[0]->post([this] {
            if (--still_busy_ == 0) stop_all();
          });
        });
      });
    }
    timer_->expires_after(drain_timeout);
    timer_->async_wait([this](boost::system::error_code stopped) {
      if (!stopped) stop_all();
    });
  }

  void stop_all() {
    for (auto& loop : loops_) loop->stop();
  }

  // Each loop's counters are read on its own thread; the sum is told on the first one's.
  void gather(std::function<void(std::string)> tell) {
    struct sum {
      hub::counters counted;
      hub::gauges g;
      std::size_t missing;
    };
    auto all = std::make_shared<sum>();
    all->missing = loops_.size();
    for (auto& loop : loops_) {
      loop->post([this, &l = *loop, all, tell] {
        const auto seen = l.look();
        loops_[0]->post([this, all, tell, seen] {
          add(seen, all->counted, all->g);
          if (--all->missing == 0) tell(finish(all->counted, all->g));
        });
      });
    }
  }

  std::string finish(const hub::counters& counted, hub::gauges& g) {
    const auto names = names_.count();
    g.names_live = names.live;
    g.names_held = names.held;
    g.loops = loops_.size();
    g.reloads_done = reloads_done_;
    g.reloads_failed = reloads_failed_;
    g.loaded_at = loaded_at_;
    g.certificate_expires = certificate_expires_;
    g.kept_bytes = memory_.used();
    if (cluster_) g.cluster = cluster_->look();
    return hub::metrics_text(counted, g);
  }

  const options& options_;
  crypto::system_random random_;
  hub::announcement announcement_;
  shared_directory names_;
  shared_admission door_;
  shared_penalties penalties_;
  memory_budget memory_;
  hub::trusted_proxies proxies_;
  shared_ledger relay_books_;
  shared_parts shared_;
  std::vector<std::unique_ptr<event_loop>> loops_;
  std::unique_ptr<cluster_service> cluster_;
  std::unique_ptr<admin> admin_;
  server_addresses addresses_;
  std::unique_ptr<boost::asio::steady_timer> timer_;  // of the end
  std::uint64_t reloads_done_ = 0, reloads_failed_ = 0;
  std::int64_t loaded_at_ = 0;
  std::optional<std::int64_t> certificate_expires_;
  std::size_t still_busy_ = 0;
  bool draining_ = false;
};

}  // namespace

void check(const options& o) {
  crypto::system_random random;
  (void)read_access(o, random);
  (void)read_tls(o);
  (void)read_cluster_tls(o);
}

void hold_signals() {
  const auto all = handled_signals();
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

int serve(const options& o) {
  ::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  server s(o);
  return s.run();
}

}  // namespace nat::signaling::io
