#pragma once

// Two links on one imaginary wire with a delay, in virtual time; their candidates cross at once.

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "peer-cli/session/link.hpp"
#include "tests/check.hpp"

namespace nat::session::test {

struct end {
  end(link_config config, const char* at, std::uint64_t seed, time_point now)
      : random(seed),
        address(*parse_endpoint(at)),
        over(std::move(config), certificate, random, now) {
    ice::candidate host;
    host.address = host.base = address;
    host.priority = ice::candidate_priority(ice::candidate_kind::host, 65'535);
    host.foundation = "1";
    over.add_local(host, now);
    over.end_of_local(now);
  }

  template <class Event>
  [[nodiscard]] const Event* find() const {
    for (const auto& event : events) {
      if (const auto* const wanted = std::get_if<Event>(&event)) return wanted;
    }
    return nullptr;
  }

  nat::test::seeded_random random;
  dtls::certificate certificate;
  endpoint address;
  link over;
  std::vector<link_event> events;
  std::function<void(link_event&)> on_event;  // sees each before it is kept
};

class two_links {
 public:
  explicit two_links(std::optional<std::string> secret_a = {},
                     std::optional<std::string> secret_b = {})
      : a(config(true, secret_a), "192.0.2.1:1000", 1, now),
        b(config(false, secret_b), "192.0.2.2:2000", 2, now) {}

  // Offer to b, answer to a. `tamper` may change what is said on the way.
  void introduce(const std::function<void(sdp::description&)>& tamper = {}) {
    auto offer = a.over.description();
    if (tamper) tamper(offer);
    REQUIRE_FALSE(b.over.set_remote(offer, now));
    answer = b.over.description();
    if (tamper) tamper(answer);
  }
  void deliver_answer() { REQUIRE_FALSE(a.over.set_remote(answer, now)); }

  bool run_until(const std::function<bool()>& done, duration limit = std::chrono::seconds{60}) {
    const auto end_of_time = now + limit;
    for (;;) {
      drain(a, b);
      drain(b, a);
      if (done()) return true;
      auto next = earlier(a.over.next_timeout(), b.over.next_timeout());
      if (!wire.empty()) next = earlier(next, wire.begin()->first);
      if (!next || *next > end_of_time) return false;
      now = std::max(now, *next);
      while (!wire.empty() && wire.begin()->first <= now) {
        auto [to, from, data] = std::move(wire.begin()->second);
        wire.erase(wire.begin());
        to->over.handle_datagram({transport::udp, to->address, from}, data, now);
      }
      a.over.handle_timeout(now);
      b.over.handle_timeout(now);
    }
  }

  time_point now{std::chrono::hours{1}};
  end a, b;
  sdp::description answer;
  duration delay = std::chrono::milliseconds{20};
  std::function<bool(byte_view)> drop = [](byte_view) { return false; };

 private:
  struct flight {
    end* to;
    endpoint from;
    bytes data;
  };

  static link_config config(bool offerer, const std::optional<std::string>& secret) {
    link_config c;
    c.offerer = offerer;
    c.local_id = offerer ? "alice" : "bob";
    c.remote_id = offerer ? "bob" : "alice";
    c.session = "s";
    c.secret = secret;
    return c;
  }

  void drain(end& from, end& to) {
    while (auto out = from.over.poll_transmit(now)) {
      const std::size_t step = out->segment_size == 0 ? out->data.size() : out->segment_size;
      for (std::size_t at = 0; at < out->data.size(); at += step) {
        const auto one = byte_view(out->data).subspan(at, std::min(step, out->data.size() - at));
        if (out->via.remote == to.address && !drop(one)) {
          wire.emplace(now + delay, flight{&to, from.address, to_bytes(one)});
        }
      }
    }
    while (auto event = from.over.poll_event(now)) {
      if (from.on_event) from.on_event(*event);
      from.events.push_back(std::move(*event));
    }
  }

  std::multimap<time_point, flight> wire;
};

}  // namespace nat::session::test
