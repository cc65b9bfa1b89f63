// What a public host has to stand: one hostile client after the other, each against the whole
// server, and beside each a good one that must not notice.

#include <deque>

#include "tests/certificate.hpp"
#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"

namespace nat::test {
namespace {

constexpr auto tcp_only = raw_client::start::tcp_only;
constexpr std::size_t a_few_mebibytes = 8U << 20;

std::string offer(std::string_view target, std::string_view sdp = "v=0") {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

std::string code_of(const std::string& error) {
  return field(error, "code");
}

// Somebody who behaves, and is served whatever goes on beside.
class good_client {
 public:
  explicit good_client(const server_process& server) : client_(server.websocket, "127.0.0.9") {
    client_.join("good");
  }
  void check_served() {
    client_.say(offer("good", "still here"));
    CHECK(field(client_.hear(), "sdp") == "still here");
  }

 private:
  raw_client client_;
};

// Says `octets` one by one, over and over, each as soon as 10 ms have passed in which the server
// did not end the connection; at most as many as 10 s take.
void drip(raw_client& c, std::string_view octets) {
  for (std::size_t i = 0; i < 1000; ++i) {
    if (!c.send_raw(octets.substr(i % octets.size(), 1)) || c.ended_within(10)) return;
  }
  FAIL("a client that drips was not ended in 10 s");
}

// Once the server has seen others go.
bool admitted_at_last(const server_process& server, const char* from) {
  for (int i = 0; i < 10'000; ++i) {
    raw_client c(server.websocket, from, tcp_only);
    c.send_raw(std::string(upgrade_request) + "\r\n");
    if (c.read_head().starts_with("HTTP/1.1 101 ")) return true;
  }
  return false;
}

TEST_CASE("slowloris: octets that trickle do not put off the time limit of any stage") {
  const test_certificate certificate;
  // Less than what drips, more than a busy machine takes to get there.
  const std::vector<std::string> times{"--register-timeout", "4", "--idle-timeout", "5"};
  SUBCASE("the upgrade, a header that never ends") {
    server_process server(times);
    raw_client c(server.websocket, tcp_only);
    c.send_raw("GET / HTTP/1.1\r\nX: ");
    drip(c, "x");
  }
  SUBCASE("a frame before the registration") {
    server_process server(times);
    raw_client c(server.websocket);
    c.send_raw(frame(std::string(60'000, 'x')).substr(0, 100));
    drip(c, "x");
  }
  SUBCASE("parts of a message before the registration") {
    server_process server(times);
    raw_client c(server.websocket);
    c.send_raw(frame("{", {.fin = false}));
    drip(c, frame(" ", {.opcode = 0, .fin = false}));
  }
  SUBCASE("a frame of a registered client") {
    server_process server({"--idle-timeout", "5"});
    raw_client c(server.websocket);
    c.join("al");
    c.send_raw(frame(std::string(60'000, 'x')).substr(0, 100));
    drip(c, "x");
  }
  SUBCASE("TLS, a record that never ends") {
    auto options = times;
    for (const auto& word : {std::string("--tls-cert"), certificate.file(),
                             std::string("--tls-key"), certificate.key_file()}) {
      options.push_back(word);
    }
    server_process server(options);
    raw_client c(server.websocket, tcp_only);
    c.send_raw(std::string("\x16\x03\x01\x3f\x00\x01\x00\x3e\xfc\x03\x03", 11));
    drip(c, "x");
    raw_client half(server.websocket, tls_settings{}, tcp_only);
    half.send_raw("GET / HTTP/1.1\r\nX: ");
    drip(half, "x");
  }
}

TEST_CASE("a flood of half-open connections takes one address's share and nobody else's") {
  server_process server(
      {"--max-connections-per-address", "64", "--register-timeout", "6", "--threads", "1"});
  good_client good(server);
  std::deque<raw_client> flood;
  for (int i = 0; i < 64; ++i) {
    flood.emplace_back(server.websocket, tcp_only);
    if (i % 2) flood.back().send_raw("GET / HTTP/1.1\r\n");
  }
  CHECK(raw_client(server.websocket, tcp_only).read_head().starts_with("HTTP/1.1 503 "));
  good.check_served();
  raw_client other(server.websocket, "127.0.0.2");
  other.join("other");
  for (auto& c : flood) CHECK(c.read_head().empty());
  raw_client again(server.websocket);  // the share is free again
  again.join("again");
}

TEST_CASE("who reconnects too fast is turned away, without a handshake, and nobody else") {
  // Two at once, then one in ten seconds, whichever loop they come to.
  const std::vector<std::string> rate{"--connections-per-second-per-address", "0.1", "--threads",
                                      "2"};
  const auto turned_away = [](const server_process& server) {
    return metric(server.admin, R"(signaling_connections_rejected_total{limit="rate"})");
  };
  SUBCASE("in the clear") {
    server_process server(rate);
    good_client good(server);
    int refused = 0;
    for (int i = 0; i < 40; ++i) {
      raw_client c(server.websocket, tcp_only);
      c.send_raw(std::string(upgrade_request) + "\r\n");
      const auto head = c.read_head();
      if (!head.starts_with("HTTP/1.1 101 ")) ++refused;
    }
    CHECK(refused > 0);
    CHECK(turned_away(server) == refused);
    raw_client(server.websocket, "127.0.0.2").join("other");
    good.check_served();
  }
  SUBCASE("over TLS") {
    const test_certificate certificate;
    auto options = rate;
    for (const auto& word : {std::string("--tls-cert"), certificate.file(),
                             std::string("--tls-key"), certificate.key_file()}) {
      options.push_back(word);
    }
    server_process server(options);
    for (int i = 0; i < 40; ++i) raw_client(server.websocket, tcp_only).send_raw("\x16");
    wait_until("some are turned away", [&] { return turned_away(server) > 0; });
    raw_client(server.websocket, tls_settings{}, raw_client::start::upgraded, "127.0.0.2")
        .join("other");
    CHECK(metric(server.admin, "signaling_tls_handshakes_total") == 1);
  }
  SUBCASE("behind a proxy, by the address that it names") {
    auto options = rate;
    for (const char* word : {"--trusted-proxy", "127.0.0.1"}) options.emplace_back(word);
    server_process server(options);
    int refused = 0;
    const auto admitted = [&](const std::string& client) {
      raw_client c(server.websocket, tcp_only);
      c.send_raw(std::string(upgrade_request) + "X-Forwarded-For: " + client + "\r\n\r\n");
      return c.read_head().starts_with("HTTP/1.1 101 ");
    };
    for (int i = 0; i < 40; ++i) {
      if (!admitted("192.0.2.1, 198.51.100.7")) ++refused;
      CHECK(admitted("192.0.2." + std::to_string(100 + i)));
    }
    CHECK(refused > 0);
    CHECK(turned_away(server) == refused);
  }
}

TEST_CASE("the total of connections is bounded, whatever addresses they come from") {
  server_process server({"--max-connections", "4", "--threads", "2"});
  good_client good(server);
  raw_client a(server.websocket, "127.0.0.2"), b(server.websocket, "127.0.0.3");
  raw_client c(server.websocket, "127.0.0.4");
  raw_client fifth(server.websocket, "127.0.0.5", tcp_only);
  CHECK(fifth.read_head().starts_with("HTTP/1.1 503 "));
  good.check_served();
  c.send_raw(close_frame(1000));
  CHECK(c.read_close() == 1000);
  c.abort();
  CHECK(admitted_at_last(server, "127.0.0.5"));
}

TEST_CASE(
    "a flood of registrations: refused, then closed; under names of its own, held and let go") {
  server_process server(
      {"--resume-window", "0.2", "--threads", "1", "--connections-per-second-per-address", "0"});
  good_client good(server);
  raw_client al(server.websocket);
  al.join("al");
  al.send_raw(copies(frame(R"({"type":"register","peer_id":"al2"})"), 1000));
  auto answer = code_of(al.hear());
  CHECK(answer == "already-registered");
  while (answer == "already-registered") answer = code_of(al.hear());
  CHECK(answer == "rate-limited");
  CHECK(al.read_close() == 1008);
  const auto before = server.resident_bytes();
  for (int i = 0; i < 500; ++i) {
    raw_client one(server.websocket);
    one.join("name-" + std::to_string(i));
    one.abort();
  }
  good.check_served();
  const auto names = [&](const char* which) { return metric(server.admin, which); };
  wait_until("only the good client is left", [&] { return names("signaling_names") == 1; });
  CHECK(names("signaling_names_held") > 0);
  // Names are let go when somebody comes or goes: until then, the last one at least is held.
  wait_until("no name is held", [&] {
    raw_client visitor(server.websocket);
    visitor.join("visitor");
    visitor.send_raw(close_frame(1000));
    visitor.read_close();
    return names("signaling_names_held") == 0;
  });
  CHECK(server.resident_bytes() < before + a_few_mebibytes);
}

TEST_CASE("floods of control frames and of empty parts are charged like messages") {
  server_process server;
  good_client good(server);
  const auto part = frame("", {.opcode = 0, .fin = false});
  for (const auto& [first, repeated] : {std::pair{std::string(), frame("", {.opcode = 9})},
                                        {"", frame("x", {.opcode = 10})},
                                        {frame("", {.fin = false}), part},
                                        {"", frame("x", {.opcode = 2})}}) {
    raw_client al(server.websocket);
    al.send_raw(first + copies(repeated, 1000));
    CHECK(al.read_close() == 1008);
  }
  good.check_served();
}

TEST_CASE("whoever pings and never reads fills no memory, even without a rate") {
  server_process server({"--messages-per-second", "0"});
  good_client good(server);
  raw_client al(server.websocket);
  al.join("al");
  const auto before = server.resident_bytes();
  const auto pings = copies(frame(std::string(125, 'x'), {.opcode = 9}), 1000);
  for (int i = 0; i < 200; ++i) REQUIRE(al.send_raw(pings));
  good.check_served();
  CHECK(server.resident_bytes() < before + a_few_mebibytes);
}

TEST_CASE("whoever asks and never reads the answers is cut off at its own queue's limit") {
  server_process server({"--messages-per-second", "0", "--send-queue-bytes", "65536"});
  good_client good(server);
  raw_client al(server.websocket);
  al.join("al");
  const auto before = server.resident_bytes();
  const auto questions = copies(frame(offer("nobody")), 100);
  for (int i = 0; al.send_raw(questions); ++i) REQUIRE(i < 10'000);
  good.check_served();
  CHECK(server.resident_bytes() < before + a_few_mebibytes);
  wait_until("it is cut off", [&] { return metric(server.admin, "signaling_connections") == 1; });
}

TEST_CASE("strangers can't get a client cut off that reads, however much they say at once") {
  server_process server({"--messages-per-second", "0", "--threads", "1"});
  good_client good(server);
  raw_client popular(server.websocket);
  popular.join("popular");
  std::deque<raw_client> strangers;
  for (int i = 0; i < 5; ++i) {
    strangers.emplace_back(server.websocket);
    strangers.back().join("stranger-" + std::to_string(i));
  }
  // Each batch of them is more than may wait for one client.
  const auto much = copies(frame(offer("popular", std::string(60'000, 'x'))), 5);
  for (int round = 0; round < 40; ++round) {
    for (const auto& c : strangers) REQUIRE(c.send_raw(much));
    popular.say(offer("nobody"));
    while (code_of(popular.hear()) != "peer-not-found") {
    }
  }
  good.check_served();
  CHECK(metric(server.admin, "signaling_closed_total{reason=\"too-slow\"}") == 0);
}

TEST_CASE("whoever does not read what others say is cut off, though nobody says more") {
  server_process server({"--messages-per-second", "0", "--slow-timeout", "0.2"});
  good_client good(server);
  raw_client al(server.websocket), slow(server.websocket);
  slow.join("slow");
  al.join("al");
  const auto question = frame(offer("nobody"));
  const auto message = frame(offer("slow", std::string(60'000, 'x')));
  std::string answer;
  for (int i = 0; code_of(answer) != "peer-busy"; ++i) {
    REQUIRE(i < 1000);  // more than the kernel's buffers hold
    REQUIRE(al.send_raw(message + question));
    answer = al.hear();
  }
  wait_until("it is cut off", [&] {
    return metric(server.admin, "signaling_closed_total{reason=\"too-slow\"}") == 1;
  });
  good.check_served();
}

TEST_CASE("what all clients together leave unfinished is bounded: the fullest are sent away") {
  server_process server(
      {"--total-queue-bytes", "4000000", "--register-timeout", "0", "--threads", "1"});
  good_client good(server);
  const auto kept = [&] { return metric(server.admin, "signaling_kept_bytes"); };
  const auto sent_away = [&] {
    return metric(server.admin, "signaling_closed_total{reason=\"overloaded\"}");
  };
  const auto unfinished = frame(std::string(60'000, 'x')).substr(0, 60'000);
  std::deque<raw_client> hoarders;
  const auto more = [&](int count) {
    for (int i = 0; i < count; ++i) {
      hoarders.emplace_back(server.websocket);
      REQUIRE(hoarders.back().send_raw(unfinished));
    }
  };
  more(60);
  wait_until("all is kept", [&] { return kept() >= 3'600'000; });
  CHECK(sent_away() == 0);
  more(60);
  CHECK(hoarders.front().read_close() == 1013);
  wait_until("there is room", [&] { return sent_away() > 0 && kept() <= 4'000'000; });
  good.check_served();
  hoarders.clear();
  wait_until("nothing is kept", [&] { return kept() == 0; });
}

TEST_CASE("what waits for all clients is bounded: the fullest are cut off") {
  server_process server({"--total-queue-bytes", "4000000", "--messages-per-second", "0",
                         "--slow-timeout", "0", "--threads", "2"});
  good_client good(server);
  raw_client al(server.websocket);
  al.join("al");
  std::deque<raw_client> deaf;
  for (int i = 0; i < 10; ++i) {
    const auto name = "deaf-" + std::to_string(i);
    deaf.emplace_back(server.websocket);
    deaf.back().join(name);
    const auto messages = frame(offer(name, std::string(60'000, 'x'))) + frame(offer("nobody"));
    bool refused = false;
    for (int sent = 0; !refused; ++sent) {
      REQUIRE(sent < 1000);  // more than the kernel's buffers and a queue hold
      REQUIRE(al.send_raw(messages));
      std::string target;
      while (target != "nobody") {
        target = field(al.hear(), "target");
        refused = refused || target == name;
      }
    }
  }
  wait_until("some are cut off, and there is room", [&] {
    return metric(server.admin, "signaling_closed_total{reason=\"overloaded\"}") > 0 &&
           metric(server.admin, "signaling_kept_bytes") <= 4'000'000;
  });
  good.check_served();
}

TEST_CASE("a close is not waited for: neither its answer nor the end of what the client says") {
  server_process server;
  good_client good(server);
  raw_client mute(server.websocket), talker(server.websocket);
  mute.send_raw(frame("x", {.opcode = 3}));
  talker.send_raw(frame("x", {.opcode = 3}));
  CHECK(mute.read_close() == 1002);  // up to the end of the connection, which comes by itself
  const std::string more(65'536, 'x');
  for (int i = 0; talker.send_raw(more); ++i) REQUIRE(i < 1000);
  good.check_served();
}

TEST_CASE("without file descriptors the server turns newcomers away and serves who is there") {
  server_process server({"--threads", "1"});
  server.limit_descriptors(48);
  good_client good(server);
  std::deque<raw_client> flood;
  for (int i = 0; i < 60; ++i) flood.emplace_back(server.websocket, tcp_only);
  CHECK(flood.back().read_head().empty());  // taken and dropped, not left to wait
  good.check_served();
  flood.clear();
  CHECK(admitted_at_last(server, "127.0.0.1"));
}

// With a limit below the reserves' numbers none can be opened again: a loop that has none looks
// four times a second, not for ever.
TEST_CASE("several event loops without file descriptors do not spin") {
  server_process server({"--threads", "4", "--max-connections-per-address", "0"});
  good_client good(server);
  server.limit_descriptors(8);
  std::deque<raw_client> flood;
  for (int i = 0; i < 300; ++i) flood.emplace_back(server.websocket, tcp_only);
  for (int i = 0; i < 50; ++i) good.check_served();
  flood.clear();
  server.limit_descriptors(1024);
  CHECK(admitted_at_last(server, "127.0.0.1"));
  const auto looked = metric(server.admin, "signaling_event_loop_late_seconds_count");
  const auto failed =
      metric(server.admin, "signaling_connections_rejected_total{limit=\"descriptors\"}");
  CHECK(failed > 0);
  CHECK(failed <= looked + 4);
}

}  // namespace
}  // namespace nat::test
