#include "tests/signaling/soak/hostile.hpp"

#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"

namespace nat::test {

namespace {

constexpr auto tcp_only = raw_client::start::tcp_only;
constexpr std::size_t most_lingering = 40;

std::string offer_to(std::string_view target, std::string_view sdp) {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

}  // namespace

std::vector<hostile_client::deed> hostile_speaker::deeds_of_a_round() {
  return {[this] { breaks_http(); },   [this] { breaks_tls(); },   [this] { breaks_framing(); },
          [this] { says_nonsense(); }, [this] { floods(); },       [this] { never_reads(); },
          [this] { is_too_large(); },  [this] { claims_names(); }, [this] { lingers(); },
          [this] { goes_midway(); },   [this] { half_closes(); },  [this] { bothers_others(); }};
}

void hostile_speaker::breaks_http() {
  auto c = arrive(false);
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
void hostile_speaker::breaks_tls() {
  raw_client c(host_.server.websocket, from_.c_str(), tcp_only);
  const auto hello = client_hello();
  switch (below(3)) {
    case 0:
      c.send_raw(noise(600));
      break;
    case 1:
      c.send_raw(beginning_of(hello) + noise(600));
      break;
    default:
      c.send_raw(hello);
      if (host_.has_tls()) (void)c.read_octets(100);
      c.send_raw(noise(600));
  }
  if (below(2)) c.abort();
}

void hostile_speaker::breaks_framing() {
  auto c = arrive();
  if (below(2)) join(c);
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

void hostile_speaker::says_nonsense() {
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

void hostile_speaker::floods() {
  auto c = arrive();
  join(c);
  const std::string floods[] = {
      copies(frame("", {.opcode = 9}), 20'000), copies(frame("", {.opcode = 10}), 20'000),
      frame("", {.fin = false}) + copies(frame("", {.opcode = 0, .fin = false}), 20'000),
      copies(frame("{}"), 20'000), copies(frame(offer_to("nobody", "v=0")), 20'000)};
  c.send_raw(floods[below(std::size(floods))]);
  c.abort();
}

void hostile_speaker::never_reads() {
  auto c = arrive();
  join(c);
  const auto questions = copies(frame(offer_to("nobody", std::string(below(3000), 'x'))), 50);
  for (int i = 0; i < 40 && c.send_raw(questions); ++i) {
  }
  c.abort();
}

void hostile_speaker::is_too_large() {
  auto c = arrive();
  const std::string header{'\x81', '\xff', 0, 0, 0, 0, 0x03, 0x20, 0, 0, 'm', 'a', 's', 'k'};
  c.send_raw(header + noise(3000));
  CHECK(c.read_close() == 1009);
}

void hostile_speaker::claims_names() {
  auto c = arrive();
  for (int i = 0; i < 4; ++i) {
    c.say(R"({"type":"register","peer_id":"good-)" + std::to_string(i) +
          R"(-a","resume":"a-guess-at-a-secret")" + token() + '}');
    CHECK(field(c.hear(), "code") == "id-taken");
  }
  join(c);
  c.say(R"({"type":"register","peer_id":"h-second")" + token() + '}');
  CHECK(field(c.hear(), "code") == "already-registered");
  c.abort();
}

// Stays until the server has enough of it.
void hostile_speaker::lingers() {
  lingering_.push_back(arrive(below(2) != 0));
  if (below(2)) lingering_.back().send_raw(frame(std::string(60'000, 'x')).substr(0, 100));
  if (lingering_.size() > most_lingering) lingering_.pop_front();
}

void hostile_speaker::goes_midway() {
  auto c = arrive();
  join(c);
  c.send_raw(frame(offer_to("nobody", std::string(5000, 'x'))).substr(0, 1 + below(5000)));
  if (below(2)) c.abort();
}

// The end of what it says is the end: the server waits for nothing more.
void hostile_speaker::half_closes() {
  auto c = arrive(below(4) != 0);
  if (below(2)) c.send_raw(beginning_of(frame(offer_to("nobody", "v=0"))));
  c.half_close();
  (void)c.read_octets(std::size_t{1} << 20);
}

void hostile_speaker::bothers_others() {
  auto c = arrive();
  join(c);
  for (int i = 0; i < 10; ++i) {
    c.say(offer_to("good-" + std::to_string(below(4)) + (below(2) ? "-a" : "-b"), "unwanted"));
  }
  c.send_raw(close_frame(1000));
  c.read_close();
}

}  // namespace nat::test
