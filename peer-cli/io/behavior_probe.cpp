#include "peer-cli/io/behavior_probe.hpp"

#include <algorithm>
#include <csignal>
#include <list>
#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/crypto/system_random.hpp"
#include "stun/behavior/discovery.hpp"
#include "stun/client.hpp"
#include "stun/io/name_lookup.hpp"
#include "stun/io/stream.hpp"
#include "stun/io/udp_socket.hpp"

namespace nat::peer_io {
namespace {

namespace net = boost::asio;
using clock = std::chrono::steady_clock;
using session::exit_status;
using session::failure;

// The address that datagrams to `server` leave from; nullopt: no route. Nothing is sent.
std::optional<address> route_to(const net::any_io_executor& executor, const endpoint& server) {
  boost::system::error_code error;
  net::ip::udp::socket socket(executor);
  const auto ip = net::ip::make_address(to_string(server.ip), error);
  if (error) return std::nullopt;
  socket.open(server.ip.v4 ? net::ip::udp::v4() : net::ip::udp::v6(), error);
  if (!error) socket.connect({ip, server.port}, error);
  const auto local = error ? net::ip::udp::endpoint{} : socket.local_endpoint(error);
  if (error) return std::nullopt;
  return parse_address(local.address().to_string());
}

// One family's discovery with its sockets.
class family {
 public:
  family(net::any_io_executor executor, behavior::discovery_config config, const address& local,
         random_source& random, std::function<void()> pump)
      : executor_(std::move(executor)),
        local_(local),
        random_(random),
        pump_(std::move(pump)),
        started_(clock::now()),
        finder_(std::move(config), random, started_) {}

  // Everything that there is to do.
  void drain() {
    for (bool more = true; more;) {
      more = false;
      while (const auto wanted = finder_.poll_request()) {
        std::visit([this](const auto& one) { perform(one); }, *wanted);
      }
      while (auto out = finder_.poll_transmit(clock::now())) {
        if (const auto at = sockets_.find(out->through); at != sockets_.end()) {
          at->second.send(out->to, out->data);
          at->second.flush();
        }
        more = true;
      }
      drain_tcp();
    }
    if (finder_.finished() && !ended_) ended_ = clock::now();
  }
  void handle_timeout() {
    finder_.handle_timeout(clock::now());
    if (client_) client_->handle_timeout(clock::now());
  }
  [[nodiscard]] std::optional<time_point> next_timeout() const {
    return earlier(finder_.next_timeout(), client_ ? client_->next_timeout() : std::nullopt);
  }
  [[nodiscard]] bool finished() const { return finder_.finished(); }
  [[nodiscard]] std::optional<behavior::lifetime_bounds> lifetime_so_far() const {
    return finder_.lifetime_so_far();
  }
  [[nodiscard]] behavior_result result() const {
    return {local_.v4, finder_.known().server, finder_.verdict(), finder_.evidence(),
            ended_.value_or(clock::now()) - started_};
  }

 private:
  void perform(const behavior::open_socket& wanted) {
    try {
      auto& socket = sockets_.try_emplace(wanted.id, executor_, endpoint{local_, 0}).first->second;
      socket.start(
          [this, id = wanted.id](const stun::io::udp_socket::received& in) {
            finder_.handle_datagram(id, in.destination, in.from, in.data, clock::now());
          },
          pump_,
          [this, id = wanted.id](const endpoint& to, int) {
            finder_.handle_unreachable(id, to, clock::now());
            pump_();
          });
      finder_.socket_opened(wanted.id, socket.local(), clock::now());
    } catch (const boost::system::system_error&) {
      sockets_.erase(wanted.id);
      finder_.socket_failed(wanted.id, clock::now());
    }
  }
  void perform(const behavior::close_socket& wanted) { sockets_.erase(wanted.id); }
  void perform(const behavior::ask_tcp& wanted) {
    stream_.emplace(
        executor_, local_, wanted.server, stun::io::stream_options{},
        [this, server = wanted.server](const endpoint& local) {
          via_ = {transport::tcp, local, server};
          client_.emplace(stun::client_config{.server = via_}, random_, clock::now());
          pump_();
        },
        [this](byte_view message) {
          if (client_) client_->handle_datagram(via_, message, clock::now());
          pump_();
        },
        [this](const std::string&) {
          finder_.handle_tcp(false, clock::now());
          pump_();
        });
  }
  void drain_tcp() {
    if (!client_) return;
    while (auto out = client_->poll_transmit()) stream_->send(out->data);
    if (const auto event = client_->poll_event()) {
      finder_.handle_tcp(std::holds_alternative<stun::binding_answer>(*event), clock::now());
    }
  }

  net::any_io_executor executor_;
  address local_;
  random_source& random_;
  std::function<void()> pump_;
  time_point started_;
  std::optional<time_point> ended_;
  behavior::discovery finder_;
  std::map<behavior::socket_id, stun::io::udp_socket> sockets_;
  std::optional<stun::io::stream> stream_;
  std::optional<stun::client> client_;
  path via_;
};

}  // namespace

class behavior_probe::prober : public std::enable_shared_from_this<prober> {
 public:
  prober(net::any_io_executor executor, std::vector<address> bind, behavior_options what, done told)
      : executor_(std::move(executor)),
        bind_(std::move(bind)),
        what_(std::move(what)),
        done_(std::move(told)) {}

  void start() {
    deadline_.expires_after(what_.timeout);
    deadline_.async_wait([this, weak = weak_from_this()](auto error) {
      // Measuring a lifetime has its own end.
      if (!weak.expired() && !error && !(what_.lifetime && begun_))
        fail("no answer within the time-out");
    });
    for (const auto& url : what_.servers) look_up(url);
    begin_when_resolved();
  }

 private:
  void look_up(const session::ice_url& url) {
    if (const auto ip = parse_address(url.host)) return add({*ip, url.port});
    ++resolving_;
    lookups_.push_back(std::make_unique<stun::io::name_lookup>(
        executor_, url.host,
        [this, url](const std::vector<address>& found, const std::string& reason) {
          --resolving_;
          if (found.empty()) trouble_ = url.host + " can't be resolved (" + reason + ")";
          bool have_v4 = false, have_v6 = false;  // one of each family is enough
          for (const auto& ip : found) {
            if (!std::exchange(ip.v4 ? have_v4 : have_v6, true)) add({ip, url.port});
          }
          begin_when_resolved();
        }));
  }

  void add(const endpoint& server) {
    auto& list = server.ip.v4 ? servers_v4_ : servers_v6_;
    if (std::ranges::find(list, server) == list.end()) list.push_back(server);
  }

  void begin_when_resolved() {
    if (resolving_ > 0 || begun_) return;
    begun_ = true;
    for (const auto* servers : {&servers_v4_, &servers_v6_}) begin(*servers);
    if (families_.empty()) return fail(trouble_.empty() ? "no route to it" : trouble_);
    pump();
  }

  void begin(const std::vector<endpoint>& servers) {
    behavior::discovery_config config{
        .servers = {}, .lifetime = what_.lifetime, .router_external = what_.router_external};
    std::optional<address> local;
    for (const auto& server : servers) {
      const auto route = route_to(executor_, server);
      if (!route) continue;
      if (!local) local = route;
      config.servers.push_back(server);
    }
    if (!local) return;
    for (const auto& ip : bind_) {
      if (ip.v4 == local->v4) local = ip;
    }
    families_.emplace_back(executor_, std::move(config), *local, random_, [this] { pump(); });
  }

  void pump() {
    if (std::exchange(pumping_, true)) return;
    std::optional<time_point> next;
    over_ = true;
    for (auto& f : families_) {
      f.drain();
      tell_progress(f);
      over_ = over_ && f.finished();
      if (!f.finished()) next = earlier(next, f.next_timeout());
    }
    pumping_ = false;
    if (over_) return end(results());
    if (!next) return;
    timer_.expires_at(*next);
    timer_.async_wait([this, weak = weak_from_this()](auto error) {
      if (weak.expired() || error) return;
      for (auto& f : families_) f.handle_timeout();
      pump();
    });
  }

  void tell_progress(const family& f) {
    const auto bounds = f.lifetime_so_far();
    if (!bounds || !what_.on_progress) return;
    if (told_ && told_->alive_after == bounds->alive_after &&
        told_->gone_after == bounds->gone_after) {
      return;
    }
    told_ = bounds;
    what_.on_progress(*bounds);
  }

  [[nodiscard]] std::vector<behavior_result> results() const {
    std::vector<behavior_result> out;
    for (const auto& f : families_) out.push_back(f.result());
    return out;
  }

  void fail(const std::string& why) {
    const auto& host = what_.servers.empty() ? std::string("any server") : what_.servers[0].host;
    end(std::unexpected(failure{exit_status::signaling, "stun-unreachable",
                                "no answer from " + host + ": " + why}));
  }

  // Told from the loop: whoever is told may destroy this.
  void end(outcome what) {
    if (!done_) return;
    net::post(executor_, [weak = weak_from_this(), told = std::exchange(done_, nullptr),
                          what = std::move(what)]() mutable {
      if (!weak.expired()) told(std::move(what));
    });
  }

  net::any_io_executor executor_;
  std::vector<address> bind_;
  behavior_options what_;
  done done_;
  crypto::system_random random_;
  net::steady_timer timer_{executor_}, deadline_{executor_};
  std::vector<std::unique_ptr<stun::io::name_lookup>> lookups_;
  std::vector<endpoint> servers_v4_, servers_v6_;
  std::list<family> families_;  // stable: callbacks hold references
  std::size_t resolving_ = 0;
  std::string trouble_;
  bool begun_ = false, over_ = false, pumping_ = false;
  std::optional<behavior::lifetime_bounds> told_;
};

behavior_probe::behavior_probe(net::any_io_executor executor, std::vector<address> bind,
                               behavior_options what, done told)
    : prober_(std::make_shared<prober>(std::move(executor), std::move(bind), std::move(what),
                                       std::move(told))) {
  prober_->start();
}

behavior_probe::~behavior_probe() = default;

behavior_probe::outcome probe_behavior(const runtime_options& where, const behavior_options& what) {
  net::io_context context{1};
  std::optional<behavior_probe::outcome> out;
  net::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto error, int) {
    if (!error)
      out = std::unexpected(failure{exit_status::interrupted, "interrupted", "interrupted"});
  });
  const behavior_probe probe(context.get_executor(), where.bind, what, [&](auto found) {
    if (!out) out = std::move(found);
  });
  while (!out) context.run_one();
  return *std::move(out);
}

}  // namespace nat::peer_io
