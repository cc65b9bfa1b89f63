#include "tests/signaling/soak/hostile.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "tests/check.hpp"

namespace nat::test {

namespace {

constexpr auto tcp_only = raw_client::start::tcp_only;
constexpr std::size_t most_lingering = 40;

std::string offer_to(std::string_view target, std::string_view sdp) {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

}  // namespace

void hostile_client::next_deed() {
  using deed = void (hostile_client::*)();
  static constexpr deed deeds[] = {
      &hostile_client::breaks_http,    &hostile_client::breaks_tls,
      &hostile_client::breaks_framing, &hostile_client::says_nonsense,
      &hostile_client::floods,         &hostile_client::never_reads,
      &hostile_client::is_too_large,   &hostile_client::claims_names,
      &hostile_client::lingers,        &hostile_client::goes_midway,
      &hostile_client::bothers_others, &hostile_client::throws_datagrams};
  (this->*deeds[below(std::size(deeds))])();
}

raw_client hostile_client::arrive(raw_client::start how) const {
  if (tls_) return raw_client(websocket_, tls_settings{}, how, from_.c_str());
  return raw_client(websocket_, from_.c_str(), how);
}

std::string hostile_client::noise(std::size_t most) {
  std::string out(below(most) + 1, '\0');
  for (auto& c : out) c = static_cast<char>(chance_());
  return out;
}

void hostile_client::breaks_http() {
  auto c = arrive(tcp_only);
  const std::string good = std::string(upgrade_request) + "\r\n";
  switch (below(4)) {
    case 0:
      c.send_raw(noise(3000) + "\r\n\r\n");
      break;
    case 1:
      c.send_raw("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'));
      break;
    case 2:
      c.send_raw(good.substr(0, below(good.size())));
      return c.abort();
    default:
      auto mutated = good;
      mutated[below(mutated.size())] = static_cast<char>(chance_());
      c.send_raw(mutated);
      return c.abort();
  }
  c.read_head();
}

// On the port in the clear this is one more kind of broken HTTP.
void hostile_client::breaks_tls() {
  raw_client c(websocket_, from_.c_str(), tcp_only);
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  c.send_raw(below(2) ? hello + noise(600) : noise(600));
  c.abort();
}

void hostile_client::breaks_framing() {
  auto c = arrive();
  if (below(2)) c.join(fresh_name());
  const std::string violations[] = {frame("x", {.reserved_bits = 0x40}),
                                    frame("x", {.opcode = 3 + static_cast<unsigned>(below(5))}),
                                    frame("x", {.masked = false}),
                                    frame("x", {.length_form = 127}),
                                    frame(std::string(126, 'x'), {.opcode = 9}),
                                    frame("x", {.opcode = 9, .fin = false}),
                                    frame("x", {.opcode = 0}),
                                    frame("x", {.fin = false}) + frame("x"),
                                    close_frame(1005),
                                    frame("\xc0\x80"),
                                    frame("\xe2", {.fin = false}) + frame("x", {.opcode = 0})};
  c.send_raw(violations[below(std::size(violations))]);
  const auto code = c.read_close();
  CHECK((code == 1002 || code == 1007));
}

void hostile_client::says_nonsense() {
  auto c = arrive();
  for (int i = 0; i < 20; ++i) {
    std::string text = offer_to("x", "v=0");
    text[below(text.size())] = static_cast<char>(chance_() & 0x7f);
    c.send_raw(
        frame(below(2) ? text : noise(300), {.opcode = 1 + static_cast<unsigned>(below(2))}));
  }
  c.send_raw(close_frame(1000));
  c.read_close();
}

void hostile_client::floods() {
  auto c = arrive();
  c.join(fresh_name());
  const std::string floods[] = {
      copies(frame("", {.opcode = 9}), 20'000), copies(frame("", {.opcode = 10}), 20'000),
      frame("", {.fin = false}) + copies(frame("", {.opcode = 0, .fin = false}), 20'000),
      copies(frame("{}"), 20'000), copies(frame(offer_to("nobody", "v=0")), 20'000)};
  c.send_raw(floods[below(std::size(floods))]);
  c.abort();
}

void hostile_client::never_reads() {
  auto c = arrive();
  c.join(fresh_name());
  const auto questions = copies(frame(offer_to("nobody", std::string(below(3000), 'x'))), 50);
  for (int i = 0; i < 40 && c.send_raw(questions); ++i) {
  }
  c.abort();
}

void hostile_client::is_too_large() {
  auto c = arrive();
  const std::string header{'\x81', '\xff', 0, 0, 0, 0, 0x03, 0x20, 0, 0, 'm', 'a', 's', 'k'};
  c.send_raw(header + noise(3000));
  CHECK(c.read_close() == 1009);
}

void hostile_client::claims_names() {
  auto c = arrive();
  for (int i = 0; i < 4; ++i) {
    c.say(R"({"type":"register","peer_id":"good-)" + std::to_string(i) +
          R"(-a","resume":"a-guess-at-a-secret","token":"another"})");
    CHECK(c.hear().contains("id-taken"));
  }
  c.join(fresh_name());
  c.say(R"({"type":"register","peer_id":"second"})");
  CHECK(c.hear().contains("already-registered"));
  c.abort();
}

// Stays until the server has enough of it.
void hostile_client::lingers() {
  lingering_.push_back(arrive(below(2) ? tcp_only : raw_client::start::upgraded));
  if (below(2)) lingering_.back().send_raw(frame(std::string(60'000, 'x')).substr(0, 100));
  if (lingering_.size() > most_lingering) lingering_.pop_front();
}

void hostile_client::goes_midway() {
  auto c = arrive();
  c.join(fresh_name());
  c.send_raw(frame(offer_to("nobody", std::string(5000, 'x'))).substr(0, 1 + below(5000)));
  if (below(2)) c.abort();
}

void hostile_client::bothers_others() {
  auto c = arrive();
  c.join(fresh_name());
  for (int i = 0; i < 10; ++i) {
    c.say(offer_to("good-" + std::to_string(below(4)) + (below(2) ? "-a" : "-b"), "unwanted"));
  }
  c.send_raw(close_frame(1000));
  c.read_close();
}

// Noise, and STUN and TURN that is noise further in: the cookie stands where it should.
void hostile_client::throws_datagrams() {
  const int s = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{}, source{};
  to.sin_family = source.sin_family = AF_INET;
  ::inet_pton(AF_INET, from_.c_str(), &source.sin_addr);
  (void)!::bind(s, reinterpret_cast<const sockaddr*>(&source), sizeof source);
  to.sin_port = htons(stun_.port);
  std::memcpy(&to.sin_addr, stun_.ip.octets.data(), 4);
  static constexpr unsigned char types[] = {0x01, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x11};
  for (int i = 0; i < 50; ++i) {
    auto datagram = noise(1200);
    if (datagram.size() >= 20 && below(4) != 0) {
      const auto length = (datagram.size() - 20) & ~std::size_t{3};
      const char head[] = {0,
                           static_cast<char>(types[below(std::size(types))]),
                           static_cast<char>(length >> 8),
                           static_cast<char>(length),
                           '\x21',
                           '\x12',
                           '\xa4',
                           '\x42'};
      datagram.resize(20 + length);
      datagram.replace(0, sizeof head, head, sizeof head);
    }
    ::sendto(s, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof to);
  }
  ::close(s);
}

}  // namespace nat::test
