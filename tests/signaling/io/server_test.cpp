// The whole server, as a process on loopback: what SIGNALING.md and CLI.md promise of it.

#include <arpa/inet.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>

#include "tests/attempts.hpp"
#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"

namespace nat::test {
namespace {

std::string offer(std::string_view target, std::string_view sdp = "v=0") {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

std::string code_of(const std::string& error) {
  return field(error, "code");
}

// One datagram there, one back; empty where nothing comes for as long as the next one's answer.
bytes ask_stun(const endpoint& server, byte_view first, byte_view second) {
  const int s = ::socket(AF_INET, SOCK_DGRAM, 0);
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(server.port);
  std::memcpy(&to.sin_addr, server.ip.octets.data(), 4);
  for (const auto datagram : {first, second}) {
    ::sendto(s, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof to);
  }
  bytes answer(1500);
  const auto n = ::recv(s, answer.data(), answer.size(), 0);
  ::close(s);
  answer.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return answer;
}

TEST_CASE("two peers find each other, whichever event loop each one is on") {
  server_process server({"--threads", "2"});
  for (int pair = 0; pair < 8; ++pair) {
    const auto n = std::to_string(pair);
    raw_client al(server.websocket), bob(server.websocket);
    const auto registered = al.join("al" + n);
    CHECK(registered.contains(R"("ice_servers":[{"urls":["stun:)" + to_string(server.stun)));
    bob.join("bob" + n);
    al.say(offer("bob" + n, "v=0\\r\\n"));
    CHECK(bob.hear() == R"({"type":"offer","from":"al)" + n + R"(","sdp":"v=0\r\n"})");
    bob.say(R"({"type":"answer","target":"al)" + n + R"(","sdp":"w","session":"s"})");
    CHECK(al.hear() == R"({"type":"answer","from":"bob)" + n + R"(","session":"s","sdp":"w"})");
    bob.say(R"({"type":"candidate","target":"al)" + n + R"(","candidate":null})");
    CHECK(al.hear() == R"({"type":"candidate","from":"bob)" + n + R"(","candidate":null})");
    al.send_raw(close_frame(1000));
    CHECK(al.read_close() == 1000);
    bob.say(offer("al" + n));
    CHECK(code_of(bob.hear()) == "peer-not-found");
  }
}

TEST_CASE("the ready file holds the real addresses") {
  server_process server;
  CHECK(server.ready_text() == "{\"websocket\":[\"ws://" + to_string(server.websocket) +
                                   "\"],\"stun\":[\"" + to_string(server.stun) +
                                   "\"],\"admin\":\"" + to_string(server.admin) + "\"}\n");
  CHECK(server.websocket.port != 0);
}

TEST_CASE("the embedded STUN server answers Binding with 32 octets and nothing else at all") {
  server_process server;
  const auto garbage = from_hex("ff ff 00 00 2112a442 000000000000000000000000");
  const auto request = from_hex("0001 0000 2112a442 0102030405060708090a0b0c");
  const auto answer = ask_stun(server.stun, garbage, request);
  REQUIRE(answer.size() == 32);
  CHECK(to_bytes(byte_view(answer).first(8)) == from_hex("0101 000c 2112a442"));
  CHECK(to_bytes(byte_view(answer).subspan(8, 12)) == from_hex("0102030405060708090a0b0c"));
  CHECK(to_bytes(byte_view(answer).subspan(20, 6)) == from_hex("0020 0008 0001"));
}

TEST_CASE("a subprotocol is echoed to who asks, an extension to nobody") {
  server_process server;
  raw_client c(server.websocket, raw_client::start::tcp_only);
  c.send_raw(std::string(upgrade_request) +
             "Sec-WebSocket-Protocol: other, rendezvous.v1\r\n"
             "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" +
             frame(R"({"type":"register","peer_id":"al"})"));  // in the same packet
  const auto head = c.read_head();
  CHECK(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  CHECK(head.contains("Sec-WebSocket-Protocol: rendezvous.v1\r\n"));
  CHECK_FALSE(head.contains("Extensions"));
  CHECK(c.hear().contains("registered"));
}

TEST_CASE("a replaced connection can't send another word under the old name") {
  server_process server({"--threads", "2"});
  for (int round = 0; round < 4; ++round) {
    const auto name = "al" + std::to_string(round);
    raw_client bob(server.websocket), old(server.websocket), fresh(server.websocket);
    bob.join("bob" + std::to_string(round));
    const auto secret = field(old.join(name), "resume");
    fresh.join(name, ",\"resume\":\"" + secret + '"');
    old.say(offer("bob" + std::to_string(round), "stale"));
    fresh.say(offer("bob" + std::to_string(round), "fresh"));
    CHECK(field(bob.hear(), "sdp") == "fresh");
    CHECK(old.read_close() == 4001);
  }
}

TEST_CASE("that a peer is offline is told at once: before the answer to a ping sent after") {
  server_process server;
  raw_client al(server.websocket);
  al.join("al");
  al.send_raw(frame(offer("nobody")) + frame("ping", {.opcode = 9}));
  CHECK(code_of(al.hear()) == "peer-not-found");
  const auto pong = al.read();
  REQUIRE(pong.has_value());
  CHECK(pong->opcode == 10);
  CHECK(pong->payload == "ping");
}

TEST_CASE("a message of 50 MiB is refused by its header, and costs nothing") {
  server_process server;
  raw_client al(server.websocket), bob(server.websocket);
  bob.join("bob");
  al.join("al");
  const auto before = server.resident_bytes();
  const std::string header{'\x81', '\xff', 0, 0, 0, 0, 0x03, 0x20, 0, 0, 'm', 'a', 's', 'k'};
  al.send_raw(header);
  const std::string piece(65'536, 'x');
  for (int i = 0; i < 800 && al.send_raw(piece); ++i) {
  }
  CHECK(server.resident_bytes() < before + (8U << 20));
  raw_client other(server.websocket);
  other.send_raw(header);
  CHECK(code_of(other.hear()) == "too-large");
  CHECK(other.read_close() == 1009);
  bob.say(offer("bob"));
  CHECK(bob.hear().contains("offer"));
}

TEST_CASE("one client can't fill memory by sending to others who are away or do not read") {
  // One loop: with two, the name may be free before the other loop's answer, that it is busy, is
  // there.
  server_process server({"--messages-per-second", "0", "--threads", "1", "--slow-timeout", "0.5"});
  raw_client al(server.websocket), slow(server.websocket), bob(server.websocket);
  al.join("al");
  slow.join("slow");
  bob.join("bob");
  const auto before = server.resident_bytes();
  const std::string big(60'000, 'x');
  for (int i = 0; i < 300; ++i) al.say(offer("slow", big));
  auto next = al.hear();
  CHECK(code_of(next) == "peer-busy");
  while (code_of(next) == "peer-busy") {
    al.say(offer("slow", big));
    next = al.hear();
  }
  CHECK(code_of(next) == "peer-not-found");
  CHECK(server.resident_bytes() < before + (16U << 20));
  bob.say(offer("bob"));
  CHECK(bob.hear().contains("offer"));
}

TEST_CASE("one malformed frame ends one connection, not the process") {
  server_process server;
  raw_client bob(server.websocket);
  bob.join("bob");
  const std::string deflated_bomb = frame(std::string(1000, 'x'), {.reserved_bits = 0x40});
  for (const auto& bad :
       {frame("x", {.opcode = 3}), frame("x", {.masked = false}), frame("x", {.opcode = 0}),
        deflated_bomb, frame(std::string(126, 'x'), {.opcode = 9}), close_frame(1005)}) {
    raw_client al(server.websocket);
    al.send_raw(bad);
    CHECK(al.read_close() == 1002);
  }
  raw_client al(server.websocket);
  al.send_raw(frame("\xff"));
  CHECK(al.read_close() == 1007);
  for (const char* bad : {"nonsense", "[1]", "{}", R"({"type":7})", R"({"type":"offer"})", ""}) {
    bob.say(bad);
    CHECK(code_of(bob.hear()) == "bad-message");
  }
  bob.say(std::string(60'000, '['));
  CHECK(code_of(bob.hear()) == "bad-message");
  bob.say(offer("bob"));
  CHECK(bob.hear().contains("offer"));
}

TEST_CASE("an octet at a time is slow, not wrong") {
  server_process server;
  raw_client al(server.websocket, raw_client::start::tcp_only);
  for (const char c : std::string(upgrade_request) + "\r\n") al.send_raw(std::string_view(&c, 1));
  CHECK(al.read_head().starts_with("HTTP/1.1 101 "));
  for (const char c : frame(R"({"type":"register","peer_id":"al"})")) {
    al.send_raw(std::string_view(&c, 1));
  }
  CHECK(al.hear().contains("registered"));
}

TEST_CASE("SIGTERM and SIGINT: everybody is told, the end comes with status 0 within 5 s") {
  const auto ends_in_time = [](int number) {
    server_process server({"--threads", "2"});
    raw_client polite(server.websocket), mute(server.websocket);
    raw_client upgrading(server.websocket, raw_client::start::tcp_only);
    upgrading.send_raw("GET /");
    polite.join("polite");
    mute.join("mute");
    const auto start = std::chrono::steady_clock::now();
    server.signal(number);
    CHECK(polite.hear() == R"({"type":"going-away"})");
    CHECK(polite.read_close() == 1001);
    CHECK(server.wait() == 0);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(mute.hear() == R"({"type":"going-away"})");
    if (took >= std::chrono::seconds(5)) throw spoiled{"the end took 5 s"};
  };
  for (const int number : {SIGTERM, SIGINT}) attempt([&] { ends_in_time(number); });
}

// Asked while a client that was told to go does not, for which the server waits 2 s.
void tells_that_it_drains() {
  server_process server;
  raw_client slow(server.websocket);
  slow.join("slow");
  raw_client ready(server.admin, raw_client::start::tcp_only),
      alive(server.admin, raw_client::start::tcp_only);
  ready.send_raw("GET /readyz HTTP/1.1\r\nHost: x\r\n\r");  // but for its last octet
  alive.send_raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r");
  server.signal(SIGTERM);
  CHECK(slow.hear() == R"({"type":"going-away"})");
  for (auto* c : {&ready, &alive}) c->send_raw("\n");
  const auto readiness = ready.read_octets(4096), health = alive.read_octets(4096);
  CHECK(slow.read_close() == 1001);
  CHECK(server.wait() == 0);
  if (readiness.empty() || health.empty()) throw spoiled{"nothing was asked within 2 s"};
  CHECK_MESSAGE(readiness.starts_with("HTTP/1.1 503 "), readiness);
  CHECK_MESSAGE(readiness.contains("\naccepting: failed\n"), readiness);
  CHECK(health.starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("while it drains, the server says so on /readyz, and that it lives on /healthz") {
  attempt(tells_that_it_drains);
}

TEST_CASE("health, readiness and metrics") {
  server_process server;
  raw_client al(server.websocket);
  al.join("al");
  al.say(R"({"type":"outcome","path":"relay","connect_ms":40})");
  al.say("x");
  al.hear();
  CHECK(http_get(server.admin, "/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  std::string ready;
  wait_until("each loop has come round of late", [&] {
    ready = http_get(server.admin, "/readyz?x=1");
    return ready.starts_with("HTTP/1.1 200 OK\r\n");
  });
  CHECK_MESSAGE(ready.ends_with("\r\n\r\nready\naccepting: ok\nevent loops: ok\n"), ready);
  const auto metrics = http_get(server.admin, "/metrics");
  CHECK(metrics.contains("text/plain; version=0.0.4"));
  for (const char* line :
       {"\nsignaling_connections 1\n", "\nsignaling_names 1\n",
        "\nsignaling_outcomes_total{path=\"relay\"} 1\n",
        "\nsignaling_errors_total{code=\"bad-message\"} 1\n",
        "\nsignaling_messages_total{type=\"register\",outcome=\"granted\"} 1\n"}) {
    CHECK_MESSAGE(metrics.contains(line), line);
  }
  raw_client bob(server.websocket);
  bob.join("bob");
  const auto begun = std::chrono::steady_clock::now();
  bob.say(offer("al"));
  al.hear();
  // The write is over; what was counted after it is told once both loops have been asked.
  const auto later = http_get(server.admin, "/metrics");
  CHECK_MESSAGE(later.contains("\nsignaling_forwarding_seconds_count 1\n"), later);
  const auto sum = metric(server.admin, "signaling_forwarding_seconds_sum");
  const std::chrono::duration<double> seen = std::chrono::steady_clock::now() - begun;
  CHECK(sum > 0);
  CHECK(sum < seen.count());
  CHECK(http_get(server.admin, "/nothing").starts_with("HTTP/1.1 404 "));
  raw_client poster(server.admin, raw_client::start::tcp_only);
  poster.send_raw("POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(poster.read_head().starts_with("HTTP/1.1 405 "));
}

TEST_CASE("that it listens, and where, is said whatever the level of the log") {
  server_process server({"--log-level", "off"});
  server.signal(SIGTERM);
  CHECK(server.wait() == 0);
  CHECK(server.last_words().empty());
}

TEST_CASE("each event loop's lateness is observed as it turns") {
  server_process server({"--threads", "2"});
  constexpr auto count = "signaling_event_loop_late_seconds_count";
  const auto first = metric(server.admin, count);
  wait_until("the histogram grew", [&] { return metric(server.admin, count) >= first + 2; });
}

// One thread of another process, stopped while the others run; the tracer is this thread.
class stopped_thread {
 public:
  explicit stopped_thread(pid_t id) : id_(id) {
    REQUIRE(::ptrace(PTRACE_SEIZE, id_, nullptr, nullptr) == 0);
    REQUIRE(::ptrace(PTRACE_INTERRUPT, id_, nullptr, nullptr) == 0);
    REQUIRE(::waitpid(id_, nullptr, __WALL) == id_);
  }
  ~stopped_thread() { ::ptrace(PTRACE_DETACH, id_, nullptr, nullptr); }
  stopped_thread(const stopped_thread&) = delete;
  stopped_thread& operator=(const stopped_thread&) = delete;

 private:
  pid_t id_;
};

TEST_CASE("an event loop that stands still is told on /readyz, until it turns again") {
  server_process server({"--threads", "2"});
  raw_client idle(server.admin, raw_client::start::tcp_only);
  const auto says = [&](std::string_view status, std::string_view line) {
    return [&server, &idle, status, line] {
      idle.quiet_for(100);
      const auto ready = http_get(server.admin, "/readyz");
      return ready.starts_with(status) && ready.contains(line);
    };
  };
  {
    std::deque<stopped_thread> stopped;
    for (const auto id : server.other_threads()) stopped.emplace_back(id);
    REQUIRE_FALSE(stopped.empty());
    wait_until("/readyz knew", says("HTTP/1.1 503 ", "\nevent loops: failed\n"));
    CHECK(http_get(server.admin, "/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  }
  wait_until("/readyz was well again", says("HTTP/1.1 200 ", "\nevent loops: ok\n"));
}

TEST_CASE("what is not an upgrade is told so in HTTP, and bounded") {
  server_process server;
  const auto response = [&](const std::string& request) {
    raw_client c(server.websocket, raw_client::start::tcp_only);
    c.send_raw(request);
    return c.read_head().substr(0, 12);
  };
  const std::string upgrade(upgrade_request);
  CHECK(response("GET / HTTP/1.1\r\nHost: x\r\n\r\n") == "HTTP/1.1 426");
  CHECK(response("POST / HTTP/1.1\r\nHost: x\r\n\r\n") == "HTTP/1.1 426");
  CHECK(response("nonsense\r\n\r\n") == "HTTP/1.1 400");
  CHECK(response("GET / HTTP/1.1\r\n\r\n") == "HTTP/1.1 400");                           // no Host
  CHECK(response(std::string("\x16\x03\x01\x02\0\x01\r\n\r\n", 10)) == "HTTP/1.1 400");  // TLS
  CHECK(response(upgrade + "Content-Length: 5\r\n\r\nhello") == "HTTP/1.1 400");
  CHECK(response(upgrade + "Transfer-Encoding: chunked\r\n\r\n") == "HTTP/1.1 400");
  CHECK(response("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x')) == "HTTP/1.1 431");
  auto other_version = upgrade;
  other_version.replace(other_version.find("Version: 13"), 11, "Version: 12");
  CHECK(response(other_version + "\r\n") == "HTTP/1.1 426");
  auto no_key = upgrade;
  no_key.replace(no_key.find("dGhlIHNhbXBsZSBub25jZQ=="), 24, "short");
  CHECK(response(no_key + "\r\n") == "HTTP/1.1 400");
  for (const char* again :
       {"Host: y", "Origin: https://a.example\r\nOrigin: https://b.example",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}) {
    CHECK_MESSAGE(response(upgrade + again + "\r\n\r\n") == "HTTP/1.1 400", again);
  }
  CHECK(server.alive());
}

TEST_CASE("lists of the upgrade may stand in several fields") {
  server_process server;
  raw_client c(server.websocket, raw_client::start::tcp_only);
  c.send_raw(
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nUpgrade: h2c\r\n"
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: other\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: " +
      std::string(signal::subprotocol) + "\r\n\r\n");
  const auto head = c.read_head();
  CHECK(head.starts_with("HTTP/1.1 101"));
  CHECK(head.contains("Sec-WebSocket-Protocol: " + std::string(signal::subprotocol)));
}

TEST_CASE("time limits: a request that never ends, no registration, silence") {
  server_process server({"--register-timeout", "3", "--idle-timeout", "4"});
  raw_client half(server.websocket, raw_client::start::tcp_only);
  half.send_raw("GET / HTTP/1.1\r\n");
  raw_client unregistered(server.websocket), silent(server.websocket);
  silent.join("silent");
  CHECK(half.read_head() == "");
  CHECK(code_of(unregistered.hear()) == "not-registered");
  CHECK(unregistered.read_close() == 1008);
  const auto ping = silent.read();
  REQUIRE(ping.has_value());
  CHECK(ping->opcode == 9);
  CHECK_FALSE(silent.read().has_value());
}

TEST_CASE("a flood of messages: told, then closed; of connections: turned away") {
  server_process server({"--max-connections-per-address", "2", "--threads", "1"});
  {
    raw_client al(server.websocket);
    al.join("al");
    std::string flood;
    for (int i = 0; i < 1000; ++i) flood += frame(R"({"type":"outcome","path":"relay"})");
    al.send_raw(flood);
    CHECK(code_of(al.hear()) == "rate-limited");
    CHECK(al.read_close() == 1008);
  }
  raw_client one(server.websocket), two(server.websocket);
  raw_client three(server.websocket, raw_client::start::tcp_only);
  CHECK(three.read_head().starts_with("HTTP/1.1 503 "));
  two.send_raw(close_frame(1000));
  CHECK(two.read_close() == 1000);
  one.join("al2");  // whoever was in is not disturbed
}

TEST_CASE("after an unclean end the name waits for its owner") {
  server_process server;
  raw_client first(server.websocket), other(server.websocket), back(server.websocket);
  const auto secret = field(first.join("al"), "resume");
  first.abort();
  // Until the server has noticed, the name is simply in use; after that it is held.
  other.say(R"({"type":"register","peer_id":"al"})");
  CHECK(code_of(other.hear()) == "id-taken");
  CHECK(field(back.join("al", ",\"resume\":\"" + secret + '"'), "resume") == secret);
}

TEST_CASE("tokens: who may register, and as whom; read again at SIGHUP") {
  const auto file = std::filesystem::temp_directory_path() /
                    ("signaling_test_tokens." + std::to_string(::getpid()));
  const auto write = [&](std::string_view text) { std::ofstream(file) << text; };
  write("# tokens\nopen-sesame\nrobots-only robot-*\n");
  server_process server({"--token-file", file});
  const auto register_as = [&](std::string_view name, std::string_view more) {
    raw_client c(server.websocket);
    c.say("{\"type\":\"register\",\"peer_id\":\"" + std::string(name) + '"' + std::string(more) +
          '}');
    const auto answer = c.hear();
    return answer.contains("\"registered\"") ? "registered" : code_of(answer);
  };
  CHECK(register_as("al", "") == "unauthorized");
  CHECK(register_as("al", R"(,"token":"wrong")") == "unauthorized");
  CHECK(register_as("al", R"(,"token":"robots-only")") == "unauthorized");
  CHECK(register_as("al", R"(,"token":"open-sesame")") == "registered");
  CHECK(register_as("robot-1", R"(,"token":"robots-only")") == "registered");
  write("changed\n");
  server.signal(SIGHUP);
  server.wait_for(" reloaded");
  CHECK(register_as("bob", R"(,"token":"open-sesame")") == "unauthorized");
  CHECK(register_as("bob", R"(,"token":"changed")") == "registered");
  write("# nothing\n");
  server.signal(SIGHUP);
  server.wait_for("there is no token in it");
  CHECK(register_as("carol", R"(,"token":"changed")") == "registered");
  std::filesystem::remove(file);
}

TEST_CASE("behind a trusted proxy, connections count for the clients that it names") {
  server_process server({"--max-connections-per-address", "1", "--trusted-proxy", "127.0.0.0/8"});
  std::vector<raw_client> held;
  const auto status = [&](std::string_view client) {
    held.emplace_back(server.websocket, raw_client::start::tcp_only);
    held.back().send_raw(std::string(upgrade_request) + "X-Forwarded-For: 203.0.113.1\r\n" +
                         "X-Forwarded-For: " + std::string(client) + "\r\n\r\n");
    return held.back().read_head().substr(9, 3);
  };
  CHECK(status("192.0.2.1") == "101");
  CHECK(status("192.0.2.2") == "101");
  CHECK(status("192.0.2.1") == "503");
}

TEST_CASE("pages of other origins are turned away, programs are not") {
  server_process server({"--allow-origin", "https://Good.example:443/"});
  const auto status = [&](const std::string& header) {
    raw_client c(server.websocket, raw_client::start::tcp_only);
    c.send_raw(std::string(upgrade_request) + header + "\r\n");
    return c.read_head().substr(9, 3);
  };
  CHECK(status("") == "101");
  CHECK(status("Origin: https://good.example\r\n") == "101");
  CHECK(status("Origin: https://evil.example\r\n") == "403");
  CHECK(status("Origin: https://good.example.evil.example\r\n") == "403");
  CHECK(status("Origin: null\r\n") == "403");
}

TEST_CASE("--check-config reads what a start would read, and starts nothing") {
  const std::string shipped = NAT_SOURCE_FOLDER "/signaling/deploy/signaling-server.toml";
  CHECK(run_server({"--config", shipped, "--check-config"}).status == 0);
  CHECK(run_server({"--check-config", "--token-file", "/nonexistent"}).status == 2);
  CHECK(run_server({"--check-config", "--config", "/nonexistent"}).status == 2);
  const auto file = std::filesystem::temp_directory_path() /
                    ("signaling_test_config." + std::to_string(::getpid()));
  std::ofstream(file) << "no-such-option = 3\n";
  const auto unknown = run_server({"--check-config", "--config", file});
  CHECK(unknown.status == 2);
  CHECK_MESSAGE(unknown.errors.contains(file.string() + ":1: \"no-such-option\""), unknown.errors);
  std::ofstream(file) << "threads = 1\nmax-connections = -1\n";
  const auto negative = run_server({"--check-config", "--config", file});
  CHECK(negative.status == 2);
  CHECK_MESSAGE(negative.errors.contains(file.string() + ":2: --max-connections: \"-1\""),
                negative.errors);
  std::filesystem::remove(file);
}

TEST_CASE("what can't start says why in one line, with status 2") {
  server_process server;
  const auto taken = to_string(server.websocket);
  const auto check = [](std::vector<std::string> arguments, std::string_view expected) {
    const auto ended = run_server(std::move(arguments));
    CHECK(ended.status == 2);
    CHECK_MESSAGE(ended.errors.contains(expected), ended.errors);
    CHECK(ended.errors.find('\n') == ended.errors.size() - 1);
  };
  check({"--listen", taken}, taken + " is taken by another program");
  check({"--listen", "127.0.0.1:0", "--stun", to_string(server.stun)}, "is taken");
  check({"--listen", "127.0.0.1:0", "--no-stun", "--admin", to_string(server.admin)}, "is taken");
  check({"--listen", "192.0.2.1:1"}, "is not an address of this machine");
  check({"--listen", "nonsense"}, "--listen");
  check({"--nonsense"}, "--nonsense");
  check({"--threads", "0"}, "--threads");
  check({"--max-connections", "-1"}, "--max-connections");
  check({"--allow-origin", "app.example"}, "--allow-origin");
  check({"--idle-timeout", "-1"}, "--idle-timeout");
  check({"--turn-secret-file", "/nonexistent"}, "/nonexistent");
  check({"--trusted-proxy", "10.0.0.0/33"}, "10.0.0.0/33");
  check({"--token-file", "/nonexistent"}, "/nonexistent");
  check({"--ice-server", "http://x"}, "http://x");
  check({"--relay-ports", "5001-5000"}, "5001-5000");
  check({"--relay-allow", "10.0.0.1/8"}, "10.0.0.1/8");
  check({"--stun-alternate", "127.0.0.2:3479"}, "--stun ADDR:PORT");
  check({"--stun", "127.0.0.1:3478", "--stun-alternate", "127.0.0.2:3478"}, "127.0.0.1:3478");
  check({"--stun", "127.0.0.1:3478", "--stun-alternate", "127.0.0.1:3479"}, "127.0.0.1:3478");
  check({"--listen", "127.0.0.1:0", "--stun", "127.0.0.1:0", "--stun-alternate", "192.0.2.1:0"},
        "is not an address of this machine");
  check({"--turn", "--no-turn"}, "--no-turn");
  check({"--turn", "--no-stun"}, "--no-stun");
  check(
      {"--listen", "127.0.0.1:0", "--no-stun", "--admin", "none", "--ready-file", "/nonexistent/x"},
      "/nonexistent/x");
}

}  // namespace
}  // namespace nat::test
