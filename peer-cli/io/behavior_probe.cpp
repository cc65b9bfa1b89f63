#include "peer-cli/io/behavior_probe.hpp"

#include <algorithm>
#include <csignal>
#include <list>
#include <utility>

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "peer-cli/io/name_lookup.hpp"
#include "protocol/crypto/system_random.hpp"
#include "stun/behavior/discovery.hpp"
#include "stun/client.hpp"
#include "stun/io/stream.hpp"
#include "stun/io/udp_socket.hpp"

namespace nat::peer_io {
namespace {

namespace net = boost::asio;
using clock = std::chrono::steady_clock;
using session::exit_status;
using session::failure;

// The address that datagrams to `server` leave from; nullopt: no route. Nothing is sent.
std::optional<address> route_to(net::io_context& context, const endpoint& server) {
  boost::system::error_code error;
  net::ip::udp::socket socket(context);
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
  family(net::io_context& context, behavior::discovery_config config, const address& local,
         random_source& random, std::function<void()> pump)
      : context_(context),
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
      auto& socket = sockets_.try_emplace(wanted.id, context_.get_executor(), endpoint{local_, 0})
                         .first->second;
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
        context_.get_executor(), local_, wanted.server, stun::io::stream_options{},
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

  net::io_context& context_;
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

class prober {
 public:
  prober(const runtime_options& where, const behavior_options& what) : where_(where), what_(what) {}

  std::expected<std::vector<behavior_result>, failure> run() {
    net::steady_timer deadline(context_, what_.timeout);
    deadline.async_wait([this](auto error) {
      // Measuring a lifetime has its own end.
      if (!error && !(what_.lifetime && begun_)) fail("no answer within the --timeout");
    });
    net::signal_set signals(context_, SIGINT, SIGTERM);
    signals.async_wait([this](auto error, int) {
      if (!error) failed_ = failure{exit_status::interrupted, "interrupted", "interrupted"};
    });
    for (const auto& url : what_.servers) look_up(url);
    begin_when_resolved();
    while (!failed_ && !over_ && context_.run_one() > 0) {
    }
    if (failed_) return std::unexpected(*failed_);
    std::vector<behavior_result> out;
    for (const auto& f : families_) out.push_back(f.result());
    return out;
  }

 private:
  void look_up(const session::ice_url& url) {
    if (const auto ip = parse_address(url.host)) return add({*ip, url.port});
    ++resolving_;
    lookups_.push_back(std::make_unique<name_lookup>(
        context_.get_executor(), url.host,
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
      const auto route = route_to(context_, server);
      if (!route) continue;
      if (!local) local = route;
      config.servers.push_back(server);
    }
    if (!local) return;
    for (const auto& ip : where_.bind) {
      if (ip.v4 == local->v4) local = ip;
    }
    families_.emplace_back(context_, std::move(config), *local, random_, [this] { pump(); });
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
    if (over_ || !next) return;
    timer_.expires_at(*next);
    timer_.async_wait([this](auto error) {
      if (error) return;
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

  void fail(const std::string& why) {
    if (failed_) return;
    const auto& host = what_.servers.front().host;
    failed_ =
        failure{exit_status::signaling, "stun-unreachable", "no answer from " + host + ": " + why};
  }

  const runtime_options& where_;
  const behavior_options& what_;
  net::io_context context_{1};
  crypto::system_random random_;
  net::steady_timer timer_{context_};
  std::vector<std::unique_ptr<name_lookup>> lookups_;
  std::vector<endpoint> servers_v4_, servers_v6_;
  std::list<family> families_;  // stable: callbacks hold references
  std::size_t resolving_ = 0;
  std::string trouble_;
  bool begun_ = false, over_ = false, pumping_ = false;
  std::optional<behavior::lifetime_bounds> told_;
  std::optional<failure> failed_;
};

}  // namespace

std::expected<std::vector<behavior_result>, failure> probe_behavior(const runtime_options& where,
                                                                    const behavior_options& what) {
  return prober(where, what).run();
}

}  // namespace nat::peer_io
