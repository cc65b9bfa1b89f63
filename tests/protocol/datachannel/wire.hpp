#pragma once

// Two connections and the path between them, in virtual time: delay, loss, reordering and
// duplication from a seed.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "protocol/datachannel/connection.hpp"
#include "tests/check.hpp"

namespace nat::test {

using namespace std::chrono_literals;

struct path_quality {
  duration delay = 10ms;  // one way
  unsigned loss_percent = 0, duplicate_percent = 0;
  duration jitter = 0ms;
};

// One end and what it said.
struct end {
  datachannel::connection peer;
  std::vector<datachannel::event> events{};
  std::uint64_t datagrams = 0, segments = 0, octets = 0;
  std::function<bool(byte_view)> filter = [](byte_view) { return true; };  // false: lost on the way

  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& e : events) {
      if (const auto* found = std::get_if<T>(&e)) out.push_back(*found);
    }
    return out;
  }
  template <class T>
  [[nodiscard]] std::size_t count() const {
    return all<T>().size();
  }
};

class wire {
 public:
  explicit wire(
      path_quality quality = {}, std::uint64_t seed = 1,
      const std::function<void(datachannel::connection_config&, bool client)>& adjust = [](auto&,
                                                                                           bool) {})
      : random_(seed), quality_(quality), a{make(true, adjust)}, b{make(false, adjust)} {
    drain(a, b_inbox);
    drain(b, a_inbox);
  }

  // Runs until `done` or for `limit` of virtual time. False: the limit came first.
  bool run(duration limit, const std::function<bool()>& done = [] { return false; }) {
    const auto end_time = now + limit;
    for (;;) {
      exchange();
      if (done()) return true;
      const auto next = next_event();
      if (!next || *next > end_time) {
        now = end_time;
        return false;
      }
      now = std::max(now, *next);
      step();
    }
  }
  // Both ends have an open association.
  bool establish(duration limit = 20s) {
    return run(limit, [&] {
      return a.count<datachannel::established>() == 1 && b.count<datachannel::established>() == 1;
    });
  }
  void exchange() {
    drain(a, b_inbox);
    drain(b, a_inbox);
  }

 private:
  using inbox = std::multimap<time_point, bytes>;

  datachannel::connection make(
      bool client,
      const std::function<void(datachannel::connection_config&, bool client)>& adjust) {
    datachannel::connection_config config;
    config.role = client ? datachannel::dtls_role::client : datachannel::dtls_role::server;
    config.remote = (client ? b_certificate : a_certificate).fingerprint();
    config.initial_rtt = 2 * quality_.delay;
    adjust(config, client);
    return {config, client ? a_certificate : b_certificate, random_, now};
  }

  void drain(end& from, inbox& to) {
    while (auto batch = from.peer.poll_transmit()) {
      ++from.datagrams;
      const auto step = batch->segment_size ? batch->segment_size : batch->data.size();
      for (std::size_t at = 0; at < batch->data.size(); at += step) {
        send(from, to, byte_view(batch->data).subspan(at, std::min(step, batch->data.size() - at)));
      }
    }
    while (auto event = from.peer.poll_event()) from.events.push_back(std::move(*event));
  }

  void send(end& from, inbox& to, byte_view datagram) {
    ++from.segments;
    from.octets += datagram.size();
    if (!from.filter(datagram) || chance(quality_.loss_percent)) return;
    const int copies = chance(quality_.duplicate_percent) ? 2 : 1;
    for (int i = 0; i < copies; ++i)
      to.emplace(now + quality_.delay + jitter(), to_bytes(datagram));
  }

  bool chance(unsigned percent) { return percent > 0 && random_below(random_, 100) < percent; }
  duration jitter() {
    if (quality_.jitter == 0ms) return 0ms;
    return duration(random_below(random_, static_cast<std::uint64_t>(quality_.jitter.count())));
  }

  std::optional<time_point> next_event() {
    auto next = earlier(a.peer.next_timeout(), b.peer.next_timeout());
    for (const auto* box : {&a_inbox, &b_inbox}) {
      if (!box->empty()) next = earlier(next, box->begin()->first);
    }
    return next;
  }

  void step() {
    deliver(a, a_inbox);
    deliver(b, b_inbox);
    for (auto* e : {&a, &b}) {
      const auto due = e->peer.next_timeout();
      if (due && *due <= now) e->peer.handle_timeout(now);
    }
  }
  void deliver(end& to, inbox& box) {
    while (!box.empty() && box.begin()->first <= now) {
      const auto datagram = std::move(box.begin()->second);
      box.erase(box.begin());
      to.peer.handle_datagram(datagram, now);
    }
  }

  seeded_random random_;
  path_quality quality_;

 public:
  time_point now{1h};
  dtls::certificate a_certificate, b_certificate;
  inbox a_inbox, b_inbox;
  end a, b;  // a is the DTLS client
};

}  // namespace nat::test
