// The whole server with --tls-cert: what CLI.md promises of wss, and what strangers may do there.

#include <signal.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>

#include "protocol/tls/connection.hpp"
#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"

namespace nat::test {
namespace {

constexpr auto tcp_only = raw_client::start::tcp_only;

// OpenSSL writes to sockets without MSG_NOSIGNAL.
const auto no_sigpipe = ::signal(SIGPIPE, SIG_IGN);

std::vector<std::string> with(const test_certificate& c, std::vector<std::string> more = {}) {
  for (const auto& word :
       {std::string("--tls-cert"), c.file(), std::string("--tls-key"), c.key_file()}) {
    more.push_back(word);
  }
  return more;
}

std::string offer(std::string_view target, std::string_view sdp) {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

TEST_CASE("wss: both versions of TLS, on both event loops, messages of any size") {
  const test_certificate certificate;
  server_process server(with(certificate, {"--threads", "2"}));
  CHECK(server.ready_text().contains("\"websocket\":[\"wss://" + to_string(server.websocket)));
  for (int pair = 0; pair < 8; ++pair) {
    const auto n = std::to_string(pair);
    raw_client al(server.websocket, {.version = TLS1_2_VERSION});
    raw_client bob(server.websocket, {.version = TLS1_3_VERSION});
    CHECK(al.shows(certificate));
    al.join("al" + n);
    bob.join("bob" + n);
    const std::string sdp(50'000, 'x');
    for (int i = 0; i < 5; ++i) {
      al.say(offer("bob" + n, sdp + std::to_string(i)));
      CHECK(field(bob.hear(), "sdp") == sdp + std::to_string(i));
      bob.say(offer("al" + n, "short"));
      CHECK(field(al.hear(), "sdp") == "short");
    }
    al.send_raw(close_frame(1000));
    CHECK(al.read_close() == 1000);
    CHECK(al.closed_in_order());
  }
  CHECK(metric(server.admin, "signaling_tls_handshakes_total") == 16);
  CHECK(metric(server.admin, "signaling_tls_failures_total") == 0);
}

TEST_CASE("a client that comes back resumes its session, on whichever loop") {
  const test_certificate certificate;
  server_process server(with(certificate, {"--threads", "2"}));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto before = metric(server.admin, "signaling_tls_resumed_total");
    raw_client first(server.websocket, {.version = version});
    const auto ticket = first.session();
    for (int i = 0; i < 4; ++i) {
      raw_client again(server.websocket, {.version = version, .session = ticket.get()});
      again.join("al" + std::to_string(version) + std::to_string(i));
    }
    CHECK(metric(server.admin, "signaling_tls_resumed_total") == before + 4);
  }
}

TEST_CASE("SIGHUP reads the certificate again and ends no connection; a bad one changes nothing") {
  const test_certificate old, fresh, other;
  const auto folder = std::filesystem::path(old.file()).parent_path();
  const auto install = [&](const std::string& certificate, const std::string& key) {
    std::ofstream(folder / "live.pem") << certificate;
    std::ofstream(folder / "live.key") << key;
  };
  install(old.certificate_pem(), old.key_pem());
  server_process server(
      {"--threads", "2", "--tls-cert", folder / "live.pem", "--tls-key", folder / "live.key"});
  raw_client al(server.websocket, tls_settings{});
  CHECK(al.shows(old));
  al.join("al");
  const auto reload = [&](std::string_view answer) {
    server.signal(SIGHUP);
    server.wait_for(answer);
    for (int i = 0; i < 4; ++i) {
      raw_client next(server.websocket, tls_settings{});
      CHECK(next.shows(fresh));
    }
    al.say(offer("al", "still here"));
    CHECK(field(al.hear(), "sdp") == "still here");
  };
  install(fresh.certificate_pem(), fresh.key_pem());
  reload(" reloaded");
  install(other.certificate_pem(), fresh.key_pem());
  reload("with this certificate (key values mismatch)");
  std::filesystem::remove(folder / "live.key");
  reload("No such file or directory");
}

TEST_CASE("turns: is announced by whom the certificate in force is for, or not at all") {
  const test_certificate address, names("DNS:*.example.net,DNS:turn.example.org"),
      wildcard("DNS:*.example.net");
  const std::filesystem::path folder = std::filesystem::path(address.file()).parent_path();
  const auto install = [&](const test_certificate& c) {
    std::ofstream(folder / "live.pem") << c.certificate_pem();
    std::ofstream(folder / "live.key") << c.key_pem();
  };
  const std::vector<std::string> options{"--threads",         "2",         "--tls-cert",
                                         folder / "live.pem", "--tls-key", folder / "live.key"};
  int visits = 0;
  const auto announced = [&visits](const server_process& server) {
    std::string all;
    for (int i = 0; i < 8; ++i) {  // to both loops
      const auto answer =
          raw_client(server.websocket, tls_settings{}).join("al" + std::to_string(visits++));
      const auto at = answer.find("turns:");
      const auto one = at == answer.npos ? "nothing" : answer.substr(at, answer.find('"', at) - at);
      if (i > 0) CHECK(one == all);
      all = one;
    }
    return all;
  };
  const auto url = [](std::string_view host, const server_process& server) {
    return "turns:" + std::string(host) + ':' + std::to_string(server.websocket.port) +
           "?transport=tcp";
  };
  SUBCASE("by the certificate alone") {
    install(address);
    server_process server(options);
    CHECK(announced(server) == url("127.0.0.1", server));
    const auto reload = [&](const test_certificate& c) {
      install(c);
      server.signal(SIGHUP);
      if (&c == &wildcard) server.wait_for(" --tls-name");
      server.wait_for(" reloaded");
    };
    reload(names);
    CHECK(announced(server) == url("turn.example.org", server));
    reload(wildcard);
    CHECK(announced(server) == "nothing");
    reload(address);
    CHECK(announced(server) == url("127.0.0.1", server));
  }
  SUBCASE("by --tls-name, which the certificate has to cover") {
    auto named = options;
    for (const char* word : {"--tls-name", "signal.example.net"}) named.emplace_back(word);
    install(wildcard);
    server_process server(named);
    CHECK(announced(server) == url("signal.example.net", server));
    install(address);
    server.signal(SIGHUP);
    server.wait_for(" is not for that name");
    CHECK(announced(server) == url("signal.example.net", server));
    named.emplace_back("--check-config");
    CHECK(run_server(named).status == 2);
  }
}

// A server with a certificate and a token file, both of which the test changes.
class reloaded_server {
 public:
  reloaded_server() {
    write("live.pem", old.certificate_pem());
    write("live.key", old.key_pem());
    write("tokens", "old-token\n");
    server = std::make_unique<server_process>(
        std::vector<std::string>{"--tls-cert", folder / "live.pem", "--tls-key",
                                 folder / "live.key", "--token-file", folder / "tokens"});
  }
  void write(const char* name, std::string_view text) const {
    std::ofstream(folder / name) << text;
  }
  // Nothing of what was there before has changed.
  void check_old() const {
    for (const auto& [token, granted] : {std::pair{"old-token", true}, {"new-token", false}}) {
      raw_client c(server->websocket, tls_settings{});
      CHECK(c.shows(old));
      c.say(R"({"type":"register","peer_id":"al","token":")" + std::string(token) + "\"}");
      CHECK(c.hear().contains("\"registered\"") == granted);
    }
    CHECK(metric(server->admin, "signaling_reloads_total{outcome=\"failed\"}") == 1);
    CHECK(metric(server->admin, "signaling_reloads_total{outcome=\"done\"}") == 0);
  }

  test_certificate old, fresh;
  std::filesystem::path folder = std::filesystem::path(old.file()).parent_path();
  std::unique_ptr<server_process> server;
};

TEST_CASE("SIGHUP is one: bad tokens keep a good new certificate out") {
  const reloaded_server r;
  r.write("live.pem", r.fresh.certificate_pem());
  r.write("live.key", r.fresh.key_pem());
  r.write("tokens", "# none\n");
  r.server->signal(SIGHUP);
  r.server->wait_for("there is no token in it");
  r.check_old();
}

TEST_CASE("SIGHUP is one: a bad certificate keeps good new tokens out") {
  const reloaded_server r;
  r.write("live.pem", r.fresh.certificate_pem());  // for another key
  r.write("tokens", "new-token\n");
  r.server->signal(SIGHUP);
  r.server->wait_for("with this certificate (key values mismatch)");
  r.check_old();
}

TEST_CASE("when the certificate in force ends is a metric, of the new one after a reload") {
  const reloaded_server r;
  const auto about = [](double seconds) {
    const auto left = seconds - static_cast<double>(std::time(nullptr));
    return left > 3000 && left <= 3600;
  };
  CHECK(about(metric(r.server->admin, "signaling_certificate_expires_timestamp_seconds")));
  const auto loaded = metric(r.server->admin, "signaling_loaded_timestamp_seconds");
  CHECK(loaded <= static_cast<double>(std::time(nullptr)));
  CHECK(loaded > static_cast<double>(std::time(nullptr)) - 600);
  r.write("live.pem", r.fresh.certificate_pem());
  r.write("live.key", r.fresh.key_pem());
  r.server->signal(SIGHUP);
  r.server->wait_for(" reloaded");
  CHECK(metric(r.server->admin, "signaling_reloads_total{outcome=\"done\"}") == 1);
  CHECK(about(metric(r.server->admin, "signaling_certificate_expires_timestamp_seconds")));
}

TEST_CASE("a certificate that can't be used ends the start with one line and status 2") {
  const test_certificate certificate, other;
  const auto check = [](std::vector<std::string> arguments, std::string_view expected) {
    arguments.emplace_back("--check-config");
    const auto ended = run_server(std::move(arguments));
    CHECK(ended.status == 2);
    CHECK_MESSAGE(ended.errors.contains(expected), ended.errors);
    CHECK(ended.errors.find('\n') == ended.errors.size() - 1);
  };
  check({"--tls-cert", certificate.file()}, "--tls-key");
  check({"--tls-key", certificate.key_file()}, "--tls-cert");
  check({"--tls-cert", "/nonexistent", "--tls-key", certificate.key_file()}, "/nonexistent");
  check({"--tls-cert", certificate.file(), "--tls-key", "/"}, "failed to read --tls-key /");
  check({"--tls-cert", certificate.file(), "--tls-key", other.key_file()}, "mismatch");
  check({"--tls-cert", certificate.key_file(), "--tls-key", certificate.key_file()},
        "find a certificate");
  CHECK(run_server(with(certificate, {"--check-config"})).status == 0);
}

TEST_CASE("HTTP in the clear is told to speak TLS, garbage gets one clean close") {
  const test_certificate certificate;
  server_process server(with(certificate));
  raw_client plain(server.websocket, tcp_only);
  plain.send_raw(std::string(upgrade_request) + "\r\n");
  const auto head = plain.read_head();
  CHECK(head.starts_with("HTTP/1.1 400 "));
  CHECK(plain.read_head().contains("wss://"));  // the body, up to the end
  CHECK(plain.read_head().empty());
  for (const auto& garbage :
       {std::string(2000, 'g'), std::string(2000, '\0'), std::string("\x16\x03\x01\xff\xff\x01", 6),
        std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10)}) {
    raw_client stranger(server.websocket, tcp_only);
    stranger.send_raw(garbage);
    const auto last_words = stranger.read_head();  // an alert at most
    CHECK(last_words.size() <= 7);
  }
  CHECK(metric(server.admin, "signaling_tls_failures_total") == 5);
  raw_client good(server.websocket, tls_settings{});
  good.join("al");
}

TEST_CASE("TLS has the upgrade's time limit, however slowly its octets come") {
  const test_certificate certificate;
  server_process server(with(certificate, {"--register-timeout", "3"}));
  raw_client silent(server.websocket, tcp_only), half(server.websocket, tcp_only);
  half.send_raw(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  raw_client secured(server.websocket, tls_settings{}, tcp_only);
  secured.send_raw("GET / HT");
  CHECK(silent.read_head().empty());
  CHECK(half.read_head().empty());
  CHECK(secured.read_head().empty());
}

TEST_CASE("a client that says close_notify without a WebSocket close is answered, its name held") {
  const test_certificate certificate;
  server_process server(with(certificate));
  raw_client al(server.websocket, tls_settings{}), next(server.websocket, tls_settings{});
  al.join("al");
  al.close_tls();
  CHECK_FALSE(al.read().has_value());
  CHECK(al.closed_in_order());
  next.say(R"({"type":"register","peer_id":"al"})");
  CHECK(field(next.hear(), "code") == "id-taken");
}

TEST_CASE("over TLS too, a client that does not read is cut off and no other waits for it") {
  const test_certificate certificate;
  server_process server(
      with(certificate, {"--messages-per-second", "0", "--threads", "1", "--slow-timeout", "0.5"}));
  raw_client al(server.websocket, tls_settings{}), slow(server.websocket, tls_settings{});
  al.join("al");
  slow.join("slow");
  const std::string big(60'000, 'x');
  for (int i = 0; i < 300; ++i) al.say(offer("slow", big));
  auto answer = al.hear();
  CHECK(field(answer, "code") == "peer-busy");
  while (field(answer, "code") == "peer-busy") {
    al.say(offer("slow", big));
    answer = al.hear();
  }
  CHECK(field(answer, "code") == "peer-not-found");
  al.say(offer("al", "v"));
  while (!answer.contains("\"offer\"")) answer = al.hear();
}

TEST_CASE("over TLS too, who talks on after the close is not listened to, and ends nobody else") {
  const test_certificate certificate;
  server_process server(with(certificate, {"--threads", "1"}));
  raw_client good(server.websocket, tls_settings{});
  good.join("good");
  for (const auto& last : {close_frame(1000), frame("x", {.opcode = 3})}) {
    raw_client al(server.websocket, tls_settings{});
    al.send_raw(last);
    REQUIRE(al.read().has_value());
    const auto more = frame(std::string(60'000, 'x'));
    for (int i = 0; al.send_raw(more); ++i) REQUIRE(i < 1000);
    good.say(offer("good", "still here"));
    CHECK(field(good.hear(), "sdp") == "still here");
  }
}

TEST_CASE("a drain is told over TLS, and ends with close_notify") {
  const test_certificate certificate;
  server_process server(with(certificate));
  raw_client al(server.websocket, tls_settings{});
  raw_client handshaking(server.websocket, tcp_only);
  al.join("al");
  server.signal(SIGTERM);
  CHECK(al.hear() == R"({"type":"going-away"})");
  CHECK(al.read_close() == 1001);
  CHECK(al.closed_in_order());
  CHECK(server.wait() == 0);
}

std::string client_hello(const test_certificate& trusted) {
  auto context = tls::client_context::make("127.0.0.1", trusted.certificate_pem());
  REQUIRE(context.has_value());
  tls::connection client(*context);
  bytes scratch(tls::max_record);
  std::string out;
  (void)client.read(scratch, out);
  return out;
}

TEST_CASE("a crowd's handshakes do not keep an offer waiting until the last of them is done") {
  const test_certificate certificate;
  server_process server(with(certificate, {"--threads", "1", "--max-connections-per-address", "0",
                                           "--connections-per-second-per-address", "0"}));
  raw_client al(server.websocket, tls_settings{}), bob(server.websocket, tls_settings{});
  al.join("al");
  bob.join("bob");
  const auto alone = server.open_descriptors();
  std::deque<raw_client> crowd;
  for (int i = 0; i < 150; ++i) {
    crowd.emplace_back(server.websocket, tcp_only);
    crowd.emplace_back(server.stun, tcp_only);
  }
  wait_until("all were accepted",
             [&] { return server.open_descriptors() == alone + crowd.size(); });
  const auto hello = client_hello(certificate);
  server.signal(SIGSTOP);
  for (auto& c : crowd) c.send_raw(hello);
  al.say(offer("bob", "not last"));
  server.signal(SIGCONT);
  CHECK(field(bob.hear(), "sdp") == "not last");
  for (auto& c : crowd) REQUIRE(c.hears_within(20'000));
  // By the kernel's clock: this process may have been late to look.
  const auto served_before = [&bob](const raw_client& c) {
    const auto ago = c.heard_ms_ago();
    return ago > bob.heard_ms_ago();
  };
  CHECK(std::ranges::count_if(crowd, served_before) < 100);
}

TEST_CASE("beyond the limit of connections, no handshake is begun") {
  const test_certificate certificate;
  server_process server(
      with(certificate, {"--max-connections-per-address", "1", "--threads", "1"}));
  raw_client al(server.websocket, tls_settings{});
  raw_client second(server.websocket, tcp_only);
  CHECK(second.read_head().empty());
  al.join("al");
  CHECK(metric(server.admin, "signaling_connections_rejected_total{limit=\"address\"}") == 1);
}

}  // namespace
}  // namespace nat::test
