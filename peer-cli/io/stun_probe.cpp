#include "peer-cli/io/stun_probe.hpp"

#include <algorithm>
#include <csignal>
#include <list>
#include <system_error>
#include <utility>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/crypto/system_random.hpp"
#include "stun/io/name_lookup.hpp"
#include "stun/io/stream.hpp"
#include "stun/io/udp_socket.hpp"

namespace nat::peer_io {
namespace {

namespace net = boost::asio;
using clock = std::chrono::steady_clock;
using session::exit_status;
using session::failure;

class probe {
 public:
  probe(const runtime_options& options, const session::ice_url& url)
      : options_(options), url_(url) {}

  std::expected<probe_result, failure> run(duration timeout) {
    resolve();
    net::steady_timer deadline(context_, timeout);
    deadline.async_wait([this](auto error) {
      if (!error) give_up("no answer within the --timeout");
    });
    net::signal_set signals(context_, SIGINT, SIGTERM);
    signals.async_wait([this](auto error, int) {
      if (!error)
        result_ = std::unexpected(failure{exit_status::interrupted, "interrupted", "interrupted"});
    });
    if (!lookup_) pump();
    while (!result_ && context_.run_one() > 0) {
    }
    return *std::exchange(result_, std::nullopt);
  }

 private:
  struct attempt {
    std::optional<stun::io::udp_socket> socket;
    std::optional<stun::io::stream> stream;
    std::optional<stun::client> client;
    path over;
    bool failed = false;
  };

  void resolve() {
    if (const auto ip = parse_address(url_.host)) return start({*ip, url_.port});
    lookup_.emplace(context_.get_executor(), url_.host,
                    [this](const std::vector<address>& found, const std::string& reason) {
                      if (found.empty())
                        return give_up("its name can't be resolved (" + reason + ")");
                      bool have_v4 = false, have_v6 = false;  // one of each family is enough
                      for (const auto& ip : found) {
                        if (!std::exchange(ip.v4 ? have_v4 : have_v6, true)) start({ip, url_.port});
                      }
                      pump();
                    });
  }

  // Binds to any port; --bind decides the address where it has one of the family.
  endpoint local_for(const endpoint& server) const {
    endpoint local;
    local.ip.v4 = server.ip.v4;
    for (const auto& ip : options_.bind) {
      if (ip.v4 == server.ip.v4) local.ip = ip;
    }
    return local;
  }

  void start(const endpoint& server) {
    auto& a = attempts_.emplace_back();
    a.over = {url_.proto, local_for(server), server};
    if (url_.proto == transport::udp) {
      start_udp(a);
    } else {
      start_stream(a);
    }
  }

  void start_udp(attempt& a) {
    try {
      a.socket.emplace(context_.get_executor(), a.over.local);
    } catch (const boost::system::system_error& e) {
      last_error_ = e.code().message();
      a.failed = true;
      return;
    }
    a.over.local = a.socket->local();
    begin(a);
    a.socket->start(
        [this, &a](const stun::io::udp_socket::received& in) {
          a.over.local.ip = in.destination;
          a.client->handle_datagram({transport::udp, a.socket->local(), in.from}, in.data,
                                    clock::now());
        },
        [this] { pump(); },
        [this, &a](const endpoint&, int error) {
          last_error_ = std::string("the network says: ") + std::generic_category().message(error);
          a.failed = true;
          pump();
        });
  }

  void start_stream(attempt& a) {
    stun::io::stream_options how;
    how.tls = url_.tls;
    how.host = url_.host;
    how.ca_file = options_.server.ca_file;
    how.tls_insecure = options_.server.tls_insecure;
    a.stream.emplace(
        context_.get_executor(), a.over.local.ip, a.over.remote, how,
        [this, &a](const endpoint& local) {
          a.over.local = local;
          begin(a);
          pump();
        },
        [this, &a](byte_view message) {
          a.client->handle_datagram(a.over, message, clock::now());
          pump();
        },
        [this, &a](std::string reason) {
          last_error_ = std::move(reason);
          a.failed = true;
          pump();
        });
  }

  void begin(attempt& a) {
    stun::client_config config;
    config.server = a.over;
    config.timing.initial_rto = std::chrono::milliseconds{250};
    config.software = "rendezvous";
    a.client.emplace(config, random_, clock::now());
  }

  void pump() {
    if (result_) return;
    std::optional<time_point> next;
    bool hope = false;
    for (auto& a : attempts_) {
      if (!a.failed && a.client) drain(a);
      if (result_) return;
      hope = hope || !a.failed;
      if (!a.failed && a.client) next = earlier(next, a.client->next_timeout());
    }
    if (!hope) return give_up(last_error_);
    if (!next) return;
    timer_.expires_at(*next);
    timer_.async_wait([this](auto error) {
      if (error) return;
      for (auto& a : attempts_) {
        if (a.client) a.client->handle_timeout(clock::now());
      }
      pump();
    });
  }

  void drain(attempt& a) {
    while (auto out = a.client->poll_transmit()) {
      if (a.socket) a.socket->send(out->via.remote, out->data);
      if (a.stream) a.stream->send(out->data);
    }
    if (a.socket) a.socket->flush();
    const auto event = a.client->poll_event();
    if (!event) return;
    if (const auto* const answer = std::get_if<stun::binding_answer>(&*event)) {
      result_ = probe_result{*answer, a.over};
      return;
    }
    const auto& why = std::get<stun::binding_failure>(*event);
    a.failed = true;
    last_error_ = why.code != 0 ? "it refused: " + std::to_string(why.code) + ' ' + why.reason
                  : why.why == stun::binding_failure::cause::unusable_answer
                      ? "its answer holds no address"
                      : "it does not answer; is UDP blocked? Try ?transport=tcp";
  }

  void give_up(const std::string& why) {
    if (result_) return;
    result_ = std::unexpected(failure{exit_status::signaling, "stun-unreachable",
                                      "no answer from " + url_.host + ": " + why});
  }

  const runtime_options& options_;
  const session::ice_url& url_;
  net::io_context context_{1};
  crypto::system_random random_;
  net::steady_timer timer_{context_};
  std::optional<stun::io::name_lookup> lookup_;
  std::list<attempt> attempts_;  // stable: callbacks hold references
  std::string last_error_ = "it does not answer";
  std::optional<std::expected<probe_result, failure>> result_;
};

}  // namespace

std::expected<probe_result, failure> probe_stun(const runtime_options& options,
                                                const session::ice_url& url, duration timeout) {
  return probe(options, url).run(timeout);
}

}  // namespace nat::peer_io
