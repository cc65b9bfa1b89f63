#pragma once

// Exchanges of several loops on one directory, driven in virtual time; what each client got is
// kept for the test to look at.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "signaling/hub/exchange.hpp"
#include "signaling/hub/registry.hpp"
#include "tests/check.hpp"

namespace nat::test {

using namespace std::chrono_literals;

struct client_id {
  std::uint32_t loop = 0, slot = 0;
  auto operator<=>(const client_id&) const = default;
};

class switchboard {
 public:
  explicit switchboard(const hub::limits& l = {}, std::uint32_t loops = 1)
      : limits(l), names(limits, random_) {
    for (std::uint32_t i = 0; i < loops; ++i) {
      exchanges.push_back(std::make_unique<hub::exchange>(i, limits, plan, names, guessers));
    }
  }

  // `age`: how long ago its TCP connection was accepted.
  client_id connect(std::uint32_t loop = 0, duration age = {}) {
    const client_id c{loop, exchanges[loop]->connect({from, make_v4(0x7f000001), now - age}, now)};
    state_[c] = {};
    carry_out();
    return c;
  }
  void say(client_id c, const std::string& text) {
    exchanges[c.loop]->handle_text(c.slot, text, now);
    carry_out();
  }
  // Registers, and drops the answer.
  client_id join(std::string_view name, std::uint32_t loop = 0) {
    const auto c = connect(loop);
    say(c, R"({"type":"register","peer_id":")" + std::string(name) + "\"}");
    const auto answer = heard(c);
    REQUIRE(answer.starts_with(R"({"type":"registered")"));
    return c;
  }
  void leave(client_id c, hub::ending how) {
    exchanges[c.loop]->handle_closed(c.slot, how, now);
    carry_out();
  }
  // All that was sent to the client, after it has been read: its queue is empty.
  std::string heard(client_id c) {
    if (!state_[c].closed) exchanges[c.loop]->handle_written(c.slot, state_[c].text.size(), 0);
    return std::exchange(state_[c].text, {});
  }
  // It reads so much, or all.
  void read(client_id c, std::size_t octets) {
    auto& text = state_[c].text;
    const auto taken = std::min(octets, text.size());
    text.erase(0, taken);
    if (state_[c].closed || taken == 0) return;
    exchanges[c.loop]->handle_written(c.slot, taken, text.size());
  }
  // What the client has not read is still in its queue.
  std::string peek(client_id c) { return state_[c].text; }
  std::string closed(client_id c) { return state_[c].reason; }
  bool aborted(client_id c) { return state_[c].aborted; }
  websocket::close_code code(client_id c) { return state_[c].code; }
  int pings(client_id c) { return state_[c].pings; }

  void pass(duration d) {
    now += d;
    for (auto& x : exchanges) x->handle_timeout(now);
    carry_out();
  }
  // To the given end, from one deadline to the next, as a driver does.
  void run_until(time_point end) {
    for (;;) {
      std::optional<time_point> next;
      for (auto& x : exchanges) next = earlier(next, x->next_timeout());
      if (!next || *next > end) break;
      pass(std::max<duration>(*next - now, 0ns));
    }
    now = end;
  }

  void carry_out() {
    bool busy = true;
    while (busy) {
      busy = false;
      for (std::uint32_t i = 0; i < exchanges.size(); ++i) {
        while (const auto o = exchanges[i]->poll_output()) {
          take({i, o->slot}, *o);
          busy = true;
        }
        while (hold_envelopes == 0) {
          const auto e = exchanges[i]->poll_envelope();
          if (!e) break;
          exchanges[e->to.loop]->handle_envelope(*e, now);
          busy = true;
        }
      }
    }
  }

  hub::limits limits;
  address from = make_v4(0xc0000201);  // where clients connect from
  hub::announcement plan;

 private:
  struct client_state {
    std::string text, reason;
    websocket::close_code code = websocket::close_code::no_status;
    int pings = 0;
    bool closed = false, aborted = false;
  };
  void take(client_id c, const hub::output& o) {
    auto& s = state_[c];
    CHECK_FALSE(s.closed);
    switch (o.what) {
      case hub::output::type::text:
        s.text += o.payload;
        return;
      case hub::output::type::ping:
        ++s.pings;
        return;
      case hub::output::type::close:
      case hub::output::type::abort:
        s.reason = o.payload;
        s.code = o.code;
        s.closed = true;
        s.aborted = o.what == hub::output::type::abort;
        exchanges[c.loop]->handle_closed(c.slot, hub::ending::unclean, now);
    }
  }

  test::seeded_random random_;
  std::map<client_id, client_state> state_;

 public:
  hub::registry names;
  hub::penalties guessers{random_};
  std::vector<std::unique_ptr<hub::exchange>> exchanges;
  time_point now{1h};
  int hold_envelopes = 0;
};

// The value of a field in a message that holds it once.
inline std::string field(const std::string& text, const std::string& key) {
  const auto start = text.find('"' + key + "\":\"");
  if (start == text.npos) return {};
  const auto from = start + key.size() + 4;
  return text.substr(from, text.find('"', from) - from);
}

}  // namespace nat::test
