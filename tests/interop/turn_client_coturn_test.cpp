// Our TURN client against Debian's coturn, over UDP, TCP and TLS, IPv4 and IPv6. The client's clock
// runs ahead where a test wants its timers; the server's is real.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>

#include "protocol/crypto/system_random.hpp"
#include "stun/io/stream.hpp"
#include "stun/io/udp_socket.hpp"
#include "stun/message.hpp"
#include "stun/turn/client.hpp"
#include "tests/interop/coturn_process.hpp"

using namespace nat;
using namespace nat::test;
using namespace std::chrono_literals;

namespace {

enum class way : std::uint8_t { udp, tcp, tls };

endpoint server_at(bool v4, way how) {
  return {*parse_address(v4 ? "127.0.0.1" : "::1"),
          how == way::tls ? coturn::tls_port : coturn::port};
}

// One client, its socket or connection, and what it says.
class driver {
 public:
  driver(boost::asio::io_context& io, const coturn& server, way how, bool v4 = true)
      : io_(io), how_(how) {
    const auto remote = server_at(v4, how);
    config.username = "quiet-otter";
    config.password = "secret";
    config.server = {how == way::udp ? transport::udp : transport::tcp, {}, remote};
    const address local = *parse_address(v4 ? "127.0.0.1" : "::1");
    if (how == way::udp) {
      socket_.emplace(io_.get_executor(), endpoint{local, 0});
      config.server.local = socket_->local();
      socket_->start([this](const auto& got) { receive(got.data); }, [] {},
                     [](const endpoint&, int) {});
      return;
    }
    stun::io::stream_options options;
    options.tls = how == way::tls;
    options.host = "turn.test";
    options.ca_file = server.certificate();
    stream_.emplace(
        io_.get_executor(), local, remote, options,
        [this](const endpoint& bound) {
          config.server.local = bound;
          open_ = true;
        },
        [this](byte_view message) { receive(message); },
        [this](const std::string& reason) { closed = reason; });
    REQUIRE_MESSAGE(until([this] { return open_ || closed; }), "connecting");
    REQUIRE_MESSAGE(!closed, *closed);
  }

  void start() {
    events.clear();
    client.emplace(config, random_, now());
    pump();
  }

  template <class Event>
  [[nodiscard]] std::optional<Event> wait() {
    std::optional<Event> found;
    until([&] {
      for (const auto& e : events) {
        if (const auto* wanted = std::get_if<Event>(&e)) found = *wanted;
      }
      return found.has_value();
    });
    return found;
  }

  // Runs the loop until `done` or, where it never holds, for ten seconds.
  bool until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (!done()) {
      pump();
      if (done()) return true;
      if (std::chrono::steady_clock::now() >= limit) return false;
      io_.restart();
      io_.run_one_for(20ms);
      if (!client) continue;
      if (const auto due = client->next_timeout(); due && *due <= now()) {
        client->handle_timeout(now());
      }
    }
    return true;
  }

  void pump() {
    if (!client) return;
    while (const auto out = client->poll_transmit()) {
      if (socket_) {
        socket_->send(out->via.remote, out->data, out->segment_size);
      } else {
        stream_->send(out->data);
      }
    }
    if (socket_) socket_->flush();
    while (const auto e = client->poll_event()) events.push_back(*e);
  }

  [[nodiscard]] time_point now() const { return std::chrono::steady_clock::now() + ahead; }

  turn::client_config config;
  std::optional<turn::client> client;
  duration ahead{};
  std::deque<turn::client_event> events;
  std::deque<std::pair<endpoint, std::string>> arrived;
  std::optional<std::string> closed;
  int stale = 0, channel_messages = 0, successes = 0;

 private:
  void receive(byte_view message) {
    if (!client) return;
    const auto view = stun::message_view::parse(message);
    if (!view) ++channel_messages;
    if (view && view->type().kind == stun::kind::success) ++successes;
    const auto error = view ? view->get<stun::attr::error_code>() : std::nullopt;
    if (error && error->code == 438) ++stale;
    const auto taken = client->handle_datagram(config.server, message, now());
    CHECK(taken.ours);
    if (taken.data) arrived.emplace_back(taken.data->peer, as_text(taken.data->data));
  }

  boost::asio::io_context& io_;
  way how_;
  crypto::system_random random_;
  bool open_ = false;
  std::optional<stun::io::udp_socket> socket_;
  std::optional<stun::io::stream> stream_;
};

// A peer that sends back whatever comes.
class echo {
 public:
  echo(boost::asio::io_context& io, bool v4)
      : socket_(io.get_executor(), {*parse_address(v4 ? "127.0.0.1" : "::1"), 0}) {
    socket_.start(
        [this](const auto& got) {
          socket_.send(got.from, got.data,
                       static_cast<std::uint16_t>(
                           got.segment_size == got.data.size() ? 0 : got.segment_size));
        },
        [this] { socket_.flush(); }, [](const endpoint&, int) {});
  }
  [[nodiscard]] endpoint at() const { return socket_.local(); }

 private:
  stun::io::udp_socket socket_;
};

// Until the server answers; its listeners come up one after the other.
void wait_ready(boost::asio::io_context& io, const coturn& server) {
  const auto limit = std::chrono::steady_clock::now() + 20s;
  for (const bool v4 : {true, false}) {
    bool answered = false;
    while (!answered) {
      REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, server.log());
      stun::io::udp_socket socket(io.get_executor(), {*parse_address(v4 ? "127.0.0.1" : "::1"), 0});
      socket.start([&](const auto&) { answered = true; }, [] {}, [](const endpoint&, int) {});
      std::array<std::byte, 20> buffer;
      stun::message_writer request(buffer, stun::binding_request, {});
      socket.send(server_at(v4, way::udp), *request.finish());
      socket.flush();
      io.restart();
      io.run_for(50ms);
    }
  }
  for (const auto how : {way::tcp, way::tls}) {
    for (bool open = false; !open;) {
      REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, server.log());
      stun::io::stream_options options;
      options.tls = how == way::tls;
      options.tls_insecure = true;
      stun::io::stream probe(
          io.get_executor(), *parse_address("127.0.0.1"), server_at(true, how), options,
          [&](const endpoint&) { open = true; }, [](byte_view) {}, [](const std::string&) {});
      io.restart();
      io.run_for(50ms);
    }
  }
}

struct running {
  explicit running(const std::vector<std::string>& options = {}) : server(options) {
    wait_ready(io, server);
  }
  boost::asio::io_context io;
  coturn server;
};

// Out by indication, back; by channel, back; over the relayed address of the peer's family.
void exchange(driver& d, const endpoint& peer) {
  REQUIRE(d.client->send(peer, as_bytes("by indication"), d.now()));
  REQUIRE(d.until([&] { return !d.arrived.empty(); }));
  CHECK(d.arrived.front() == std::pair(peer, std::string("by indication")));
  d.arrived.clear();
  d.client->bind_channel(peer, d.now());
  REQUIRE(d.until([&] { return d.client->channel_bound(peer); }));
  const auto before = d.channel_messages;
  REQUIRE(d.client->send(peer, as_bytes("by channel"), d.now()));
  REQUIRE(d.until([&] { return !d.arrived.empty(); }));
  CHECK(d.arrived.front().second == "by channel");
  CHECK(d.channel_messages == before + 1);
  d.arrived.clear();
}

}  // namespace

TEST_CASE("allocate, send, bind, refresh and release, by every way") {
  running r;
  for (const auto how : {way::udp, way::tcp, way::tls}) {
    for (const bool v4 : {true, false}) {
      CAPTURE(static_cast<int>(how));
      CAPTURE(v4);
      driver d(r.io, r.server, how, v4);
      // coturn 4.6.1 gives one family at a time, and ignores ADDITIONAL-ADDRESS-FAMILY.
      const bool relay_v4 = v4 == (how != way::tcp);
      d.config.wanted = relay_v4 ? turn::families::both : turn::families::v6;
      d.start();
      const auto got = d.wait<turn::allocated>();
      REQUIRE_MESSAGE(got, r.server.log());
      CHECK(got->mapped == d.config.server.local);
      CHECK(got->lifetime >= 600s);
      REQUIRE(d.client->relayed(relay_v4));
      echo peer(r.io, relay_v4);
      exchange(d, peer.at());
      // Nine minutes and a half later by the client's clock: refresh, permissions, channels.
      d.ahead += 570s;
      const auto successes = d.successes;
      CHECK(d.until([&] { return d.successes >= successes + 3; }));
      CHECK(d.client->send(peer.at(), as_bytes("later"), d.now()));
      CHECK(d.until([&] { return !d.arrived.empty(); }));
      d.client->release(d.now());
      CHECK(d.wait<turn::released>());
      CHECK(!d.closed);
      for (const auto& e : d.events) {
        CHECK(!std::holds_alternative<turn::refused>(e));
        CHECK(!std::holds_alternative<turn::permission_refused>(e));
      }
    }
  }
}

TEST_CASE("a batch of segments crosses the relay by channel") {
  running r;
  driver d(r.io, r.server, way::udp);
  d.start();
  REQUIRE(d.wait<turn::allocated>());
  echo peer(r.io, true);
  d.client->bind_channel(peer.at(), d.now());
  REQUIRE(d.until([&] { return d.client->channel_bound(peer.at()); }));
  bytes batch(10 * 1000 + 100, std::byte{'x'});
  REQUIRE(d.client->send(peer.at(), batch, d.now(), 1000));
  CHECK(d.until([&] { return d.arrived.size() == 11; }));
  CHECK(d.arrived.back().second.size() == 100);
}

TEST_CASE("a wrong password, an unknown user") {
  running r;
  for (const bool wrong_name : {false, true}) {
    driver d(r.io, r.server, way::udp);
    (wrong_name ? d.config.username : d.config.password) = "wrong";
    d.start();
    const auto refused = d.wait<turn::refused>();
    REQUIRE(refused);
    CHECK(refused->code == 401);
  }
}

TEST_CASE("a user's quota is named, and free again after the release") {
  running r({"--user-quota=1"});
  driver first(r.io, r.server, way::udp), second(r.io, r.server, way::tcp);
  first.start();
  REQUIRE(first.wait<turn::allocated>());
  second.start();
  const auto refused = second.wait<turn::refused>();
  REQUIRE(refused);
  CHECK(refused->code == 486);
  first.client->release(first.now());
  REQUIRE(first.wait<turn::released>());
  // coturn says yes at once and lets go a second later.
  CHECK(second.until([&] {
    if (!second.client || second.client->finished()) second.start();
    return second.client->relayed(true).has_value();
  }));
}

TEST_CASE(
    "what an earlier run left on the port is given back; another user's is not ours to give") {
  running r;
  driver d(r.io, r.server, way::udp);
  d.start();
  REQUIRE(d.wait<turn::allocated>());
  d.start();  // the client is gone without a release
  CHECK_MESSAGE(d.wait<turn::allocated>(), r.server.log());
  d.config.username = "loud-owl";
  d.start();
  const auto refused = d.wait<turn::refused>();
  REQUIRE(refused);
  CHECK((refused->code == 437 || refused->code == 441));
}

TEST_CASE("a denied peer is refused alone, and the others are let in") {
  running r({"--denied-peer-ip=192.0.2.66"});
  driver d(r.io, r.server, way::udp);
  d.start();
  REQUIRE(d.wait<turn::allocated>());
  echo peer(r.io, true);
  d.client->permit(*parse_address("192.0.2.66"), d.now());
  d.client->permit(peer.at().ip, d.now());
  const auto refused = d.wait<turn::permission_refused>();
  REQUIRE(refused);
  CHECK(refused->code == 403);
  CHECK(refused->peer == *parse_address("192.0.2.66"));
  exchange(d, peer.at());
}

TEST_CASE("nonces that go stale every second are followed") {
  running r({"--stale-nonce=1"});
  driver d(r.io, r.server, way::udp);
  d.config.keepalive = {};
  d.start();
  REQUIRE(d.wait<turn::allocated>());
  d.client->permit(*parse_address("192.0.2.1"), d.now());
  // From one renewal to the next by the client's clock, for two seconds and more by the server's.
  int seen = d.successes;
  CHECK(d.until([&] {
    if (d.successes > seen) {
      seen = d.successes;
      if (const auto next = d.client->next_timeout()) d.ahead += *next - d.now();
    }
    return d.stale >= 2 || d.client->finished();
  }));
  CHECK(!d.client->finished());
  seen = d.successes;
  CHECK(d.until([&] { return d.successes > seen; }));
}

TEST_CASE("300 names the other server") {
  running r({"--alternate-server=127.0.0.1:34999"});
  driver d(r.io, r.server, way::udp);
  d.start();
  const auto other = d.wait<turn::alternate>();
  REQUIRE(other);
  CHECK(other->server == *parse_endpoint("127.0.0.1:34999"));
}

TEST_CASE("a server that dies under a stream") {
  boost::asio::io_context io;
  auto server = std::make_unique<coturn>();
  wait_ready(io, *server);
  driver d(io, *server, way::tcp);
  d.start();
  REQUIRE(d.wait<turn::allocated>());
  server.reset();
  REQUIRE(d.until([&] { return d.closed.has_value(); }));
  d.client->handle_stream_closed(d.now());
  const auto refused = d.wait<turn::refused>();
  REQUIRE(refused);
  CHECK(refused->code == -1);
}

int main(int argc, char** argv) {
  if (!run({"sh", "-c", "command -v turnserver openssl"}, "/dev/null")) {
    const bool ci = std::getenv("CI") != nullptr;
    std::printf("%s: coturn and openssl are not installed (apt-get install coturn openssl)\n",
                ci ? "failed" : "skipped");
    return ci ? 1 : 77;
  }
  doctest::Context context(argc, argv);
  return context.run();
}
