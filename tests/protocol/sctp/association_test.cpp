#include "protocol/sctp/association.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "protocol/sctp/crc32c.hpp"
#include "protocol/sctp/packet.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::sctp;
using namespace std::chrono_literals;

namespace {

// What an association has said, with pieces put together.
struct story {
  std::vector<std::pair<std::uint16_t, std::string>> messages;
  std::vector<std::uint16_t> incoming_resets, outgoing_resets;
  std::optional<up> established;
  std::optional<down::reason> ended;
  std::string partial;

  void take(const event& e) {
    if (const auto* r = std::get_if<received>(&e)) {
      partial += as_text(r->data);
      if (r->end) messages.emplace_back(r->stream, std::exchange(partial, {}));
    } else if (const auto* u = std::get_if<up>(&e)) {
      established = *u;
    } else if (const auto* s = std::get_if<streams_reset>(&e)) {
      auto& to = s->incoming ? incoming_resets : outgoing_resets;
      to.insert(to.end(), s->streams.begin(), s->streams.end());
    } else if (const auto* d = std::get_if<down>(&e)) {
      ended = d->why;
    }
  }
};

struct net {
  duration delay = 10ms;
  time_point now{1min};
  association a, b;
  story of_a, of_b;
  bool a_reads = true, b_reads = true;
  std::multimap<time_point, std::pair<bool, bytes>> flying;  // first: towards a
  std::function<bool(bool from_a, byte_view)> decide = [](bool, byte_view) { return true; };

  explicit net(association_config config_a = {}, association_config config_b = {})
      : a(config_a, now), b(config_b, now) {}

  void collect(association& from, bool from_a) {
    while (const auto packet = from.poll_packet()) {
      CHECK(verify_checksum(*packet));
      if (decide(from_a, *packet))
        flying.emplace(now + delay, std::pair{!from_a, to_bytes(*packet)});
    }
  }
  void read() {
    while (a_reads) {
      const auto e = a.read(now);
      if (!e) break;
      of_a.take(*e);
    }
    while (b_reads) {
      const auto e = b.read(now);
      if (!e) break;
      of_b.take(*e);
    }
  }
  bool run(duration limit, const std::function<bool()>& done = [] { return false; }) {
    const auto end = now + limit;
    for (;;) {
      read();
      collect(a, true);
      collect(b, false);
      if (done()) return true;
      auto next = earlier(a.next_timeout(), b.next_timeout());
      if (!flying.empty()) next = earlier(next, flying.begin()->first);
      if (!next || *next > end) {
        now = end;
        return false;
      }
      now = std::max(now, *next);
      while (!flying.empty() && flying.begin()->first <= now) {
        const auto [to_a, packet] = std::move(flying.begin()->second);
        flying.erase(flying.begin());
        (to_a ? a : b).handle_packet(packet, now);
      }
      a.handle_timeout(now);
      b.handle_timeout(now);
    }
  }
  bool establish(duration limit = 20s) {
    a.connect(now);
    b.connect(now);
    return run(limit, [&] { return of_a.established && of_b.established; });
  }
  std::size_t send(association& from, std::string_view text, delivery how = {}) {
    return from.send(how, as_bytes(text), true, now);
  }
};

}  // namespace

TEST_CASE("both ends send INIT at once and one association comes of it, in two round trips") {
  net n;
  const auto start = n.now;
  REQUIRE(n.establish());
  CHECK(n.now - start <= 40ms);
  CHECK(n.of_a.established->outgoing_streams == 1'024);
  CHECK(n.of_b.established->incoming_streams == 1'024);
  CHECK(n.send(n.a, "to b") == 4);
  CHECK(n.send(n.b, "to a", {.stream = 9}) == 4);
  REQUIRE(n.run(1s, [&] { return !n.of_a.messages.empty() && !n.of_b.messages.empty(); }));
  CHECK(n.of_b.messages[0].second == "to b");
  CHECK(n.of_a.messages[0] == std::pair<std::uint16_t, std::string>{9, "to a"});
}

TEST_CASE("it connects when one end starts seconds after the other") {
  net n;
  n.a.connect(n.now);
  n.run(2s);
  n.b.connect(n.now);
  CHECK(n.run(10s, [&] { return n.of_a.established && n.of_b.established; }));
}

TEST_CASE("it connects whichever of the first packets is lost") {
  for (const bool from_a : {true, false}) {
    for (int lost = 0; lost < 4; ++lost) {
      CAPTURE(from_a);
      CAPTURE(lost);
      net n;
      int count = 0;
      n.decide = [&](bool of_a, byte_view) { return of_a != from_a || count++ != lost; };
      CHECK(n.establish(3s));
    }
  }
}

TEST_CASE("what is sent before the association is up goes with its third packet") {
  net n;
  const auto start = n.now;
  n.a.connect(n.now);
  n.b.connect(n.now);
  REQUIRE(n.send(n.a, "early") == 5);
  REQUIRE(n.run(1s, [&] { return !n.of_b.messages.empty(); }));
  CHECK(n.now - start == 30ms);
}

TEST_CASE("other ports than 5000 work, where both ends mean the same") {
  net n({.local_port = 6'000, .remote_port = 7'000}, {.local_port = 7'000, .remote_port = 6'000});
  CHECK(n.establish());
}

TEST_CASE("no packet exceeds the MTU, and a large message arrives whole") {
  net n({.mtu = 1'000}, {.mtu = 1'000});
  REQUIRE(n.establish());
  std::size_t largest = 0;
  n.decide = [&](bool, byte_view packet) {
    largest = std::max(largest, packet.size());
    return true;
  };
  std::string text(300'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 1'000);
  REQUIRE(n.send(n.a, text) == text.size());
  CHECK(n.a.outstanding() == text.size());
  REQUIRE(n.run(10s, [&] { return n.of_b.messages.size() == 1; }));
  CHECK(n.of_b.messages[0].second == text);
  CHECK(largest <= 1'000);
  CHECK(largest > 980);
  n.run(1s);
  CHECK(n.a.outstanding() == 0);
}

TEST_CASE("a reader that stops closes the window, and memory stays what the buffers say") {
  net n({.send_buffer = 100'000, .receive_buffer = 50'000},
        {.send_buffer = 100'000, .receive_buffer = 50'000});
  REQUIRE(n.establish());
  n.b_reads = false;
  std::size_t sent = 0;
  const std::string chunk(1'000, 'x');
  n.run(30s, [&] {
    while (n.send(n.a, chunk) == chunk.size()) sent += chunk.size();
    return false;
  });
  CHECK(sent <= 100'000 + 50'000 + 10'000);
  CHECK(sent >= 100'000);
  n.b_reads = true;
  REQUIRE(n.run(30s, [&] { return n.of_b.messages.size() * chunk.size() == sent; }));
  CHECK(n.a.outstanding() <= sent);
}

TEST_CASE("loss of a fifth costs time, not bytes or order") {
  test::seeded_random random(3);
  net n;
  REQUIRE(n.establish());
  n.decide = [&](bool, byte_view) { return random_below(random, 5) != 0; };
  int sent = 0;
  REQUIRE(n.run(300s, [&] {
    while (sent < 300 && n.send(n.a, std::to_string(sent) + std::string(2'000, 'x'))) ++sent;
    return n.of_b.messages.size() == 300;
  }));
  for (std::size_t i = 0; i < 300; ++i) {
    CHECK(n.of_b.messages[i].second.starts_with(std::to_string(i) + "x"));
  }
}

TEST_CASE("unordered messages do not wait for a lost one") {
  net n;
  REQUIRE(n.establish());
  bool drop = true;
  n.decide = [&](bool from_a, byte_view) { return !(from_a && std::exchange(drop, false)); };
  n.send(n.a, "lost at first", {.unordered = true});
  n.send(n.a, "next", {.unordered = true});
  REQUIRE(n.run(1s, [&] { return n.of_b.messages.size() == 2; }));
  CHECK(n.of_b.messages[0].second == "next");
}

TEST_CASE("a message that may not be retransmitted is given up, and the rest goes on") {
  net n;
  REQUIRE(n.establish());
  bool drop = true;
  n.decide = [&](bool from_a, byte_view) { return !(from_a && std::exchange(drop, false)); };
  n.send(n.a, "given up", {.max_retransmits = 0});
  n.send(n.a, "kept");
  REQUIRE(n.run(5s, [&] { return !n.of_b.messages.empty(); }));
  n.run(5s);
  REQUIRE(n.of_b.messages.size() == 1);
  CHECK(n.of_b.messages[0].second == "kept");
  CHECK(n.a.outstanding() == 0);
}

TEST_CASE("a message that outlived its lifetime is not sent") {
  net n;
  REQUIRE(n.establish());
  bool broken = true;
  n.decide = [&](bool, byte_view) { return !broken; };
  n.send(n.a, "stale", {.max_lifetime_ms = 50});
  n.run(1s);
  broken = false;
  n.send(n.a, "fresh");
  REQUIRE(n.run(10s, [&] { return !n.of_b.messages.empty(); }));
  n.run(5s);
  REQUIRE(n.of_b.messages.size() == 1);
  CHECK(n.of_b.messages[0].second == "fresh");
}

TEST_CASE("stream resets are told at both ends, after the data before them") {
  net n;
  REQUIRE(n.establish());
  n.send(n.a, "last on three", {.stream = 3});
  for (std::uint16_t stream = 3; stream <= 5; ++stream) n.a.reset_stream(stream, n.now);
  REQUIRE(n.run(10s, [&] {
    return n.of_b.incoming_resets.size() == 3 && n.of_a.outgoing_resets.size() == 3;
  }));
  REQUIRE(n.of_b.messages.size() == 1);
  CHECK(std::set(n.of_b.incoming_resets.begin(), n.of_b.incoming_resets.end()) ==
        std::set<std::uint16_t>{3, 4, 5});
  n.send(n.a, "three again", {.stream = 3});
  REQUIRE(n.run(1s, [&] { return n.of_b.messages.size() == 2; }));
}

TEST_CASE("shutdown delivers what was sent and ends both sides in order") {
  net n;
  REQUIRE(n.establish());
  n.send(n.a, "bye");
  n.a.shutdown(n.now);
  REQUIRE(n.run(10s, [&] { return n.of_a.ended && n.of_b.ended; }));
  CHECK(n.of_b.messages.size() == 1);
  CHECK(*n.of_a.ended == down::reason::orderly);
  CHECK(*n.of_b.ended == down::reason::orderly);
  CHECK_FALSE(n.a.next_timeout());
}

TEST_CASE("an abort is told to the peer") {
  net n;
  REQUIRE(n.establish());
  n.a.abort(n.now);
  REQUIRE(n.run(1s, [&] { return n.of_b.ended.has_value(); }));
  CHECK(*n.of_b.ended == down::reason::aborted_by_peer);
  CHECK(n.send(n.b, "x") == 0);
}

TEST_CASE("an outage of a minute is survived, and the first try after it comes within seconds") {
  net n;
  REQUIRE(n.establish());
  bool broken = true;
  n.decide = [&](bool, byte_view) { return !broken; };
  n.send(n.a, "through the outage");
  n.run(60s);
  CHECK_FALSE(n.of_a.ended);
  broken = false;
  CHECK(n.run(3'500ms, [&] { return n.of_b.messages.size() == 1; }));
}

TEST_CASE("a lost last packet is sent again soon, though nothing follows it") {
  net n;
  REQUIRE(n.establish());
  n.send(n.a, "measure");
  n.run(1s);
  bool drop = true;
  n.decide = [&](bool from_a, byte_view) { return !(from_a && std::exchange(drop, false)); };
  const auto start = n.now;
  n.send(n.a, "tail");
  REQUIRE(n.run(2s, [&] { return n.of_b.messages.size() == 2; }));
  CHECK(n.now - start <= 200ms);
}

TEST_CASE("round trips are measured in the caller's time") {
  // 400 ms of delay: were they measured by the real clock, the timer would sit at its minimum and
  // every message would be sent twice.
  net n({.initial_rtt = 800ms}, {.initial_rtt = 800ms});
  n.delay = 400ms;
  REQUIRE(n.establish());
  std::size_t data_packets = 0;
  n.decide = [&](bool from_a, byte_view packet) {
    chunk_reader chunks(packet);
    const auto first = chunks.next();
    if (from_a && first && first->type == chunk_type::data) ++data_packets;
    return true;
  };
  for (int i = 0; i < 20; ++i) {
    n.send(n.a, "one");
    n.run(5s);
  }
  CHECK(data_packets == 20);
}

TEST_CASE("an idle association asks for few wake-ups, and lives through an hour of them") {
  net n;
  REQUIRE(n.establish());
  n.run(30s);
  std::size_t wakes = 0;
  for (const auto end = n.now + 1h; n.now < end; ++wakes) {
    n.now = std::max(*n.a.next_timeout(), n.now + 1ms);
    n.a.handle_timeout(n.now);
    n.b.handle_timeout(n.now);
    n.collect(n.a, true);
    n.collect(n.b, false);
    for (auto& [when, item] : n.flying) (item.first ? n.a : n.b).handle_packet(item.second, n.now);
    n.flying.clear();
    n.read();
  }
  CHECK(wakes < 3 * 3'600);
  n.send(n.a, "still there");
  CHECK(n.run(1s, [&] { return n.of_b.messages.size() == 1; }));
}

TEST_CASE("packets that are short, of bad checksum or not ours are dropped") {
  net n;
  REQUIRE(n.establish());
  bytes packet;
  n.decide = [&](bool, byte_view p) {
    packet = to_bytes(p);
    return true;
  };
  n.send(n.a, "x");
  REQUIRE(n.run(1s, [&] { return n.of_b.messages.size() == 1; }));
  const auto before = n.b.counters();
  n.b.handle_packet({}, n.now);
  n.b.handle_packet(byte_view(packet).first(15), n.now);
  packet[13] ^= std::byte{1};
  n.b.handle_packet(packet, n.now);
  CHECK(n.b.counters().malformed == before.malformed + 2);
  CHECK(n.b.counters().bad_checksums == before.bad_checksums + 1);
  packet[13] ^= std::byte{1};
  packet[5] ^= std::byte{1};  // another verification tag
  write_checksum(packet);
  n.b.handle_packet(packet, n.now);
  n.send(n.a, "y");
  CHECK(n.run(1s, [&] { return n.of_b.messages.size() == 2; }));
}

TEST_CASE("many associations live in one process without touching each other") {
  std::vector<std::unique_ptr<net>> nets;
  for (int i = 0; i < 20; ++i) nets.push_back(std::make_unique<net>());
  for (auto& n : nets) REQUIRE(n->establish());
  for (std::size_t i = 0; i < nets.size(); ++i) nets[i]->send(nets[i]->a, std::to_string(i));
  nets.erase(nets.begin());
  for (std::size_t i = 0; i < nets.size(); ++i) {
    REQUIRE(nets[i]->run(1s, [&] { return nets[i]->of_b.messages.size() == 1; }));
    CHECK(nets[i]->of_b.messages[0].second == std::to_string(i + 1));
  }
}

TEST_CASE("SACKs that wait to be sent are merged into the last") {
  net n;
  REQUIRE(n.establish());
  for (int i = 0; i < 8; ++i) n.send(n.a, std::string(1'000, 'x'));
  std::vector<bytes> packets;
  while (const auto p = n.a.poll_packet()) packets.push_back(to_bytes(*p));
  for (const auto& p : packets) n.b.handle_packet(p, n.now);
  std::size_t answers = 0;
  while (n.b.poll_packet()) ++answers;
  CHECK(answers == 1);
  CHECK(n.b.counters().sacks_merged >= 3);
}

TEST_CASE("old news of an empty queue does not hide what was sent since") {
  net n;
  REQUIRE(n.establish());
  n.a_reads = false;
  n.send(n.a, "first");
  n.run(1s);
  CHECK(n.a.outstanding() == 0);
  n.decide = [](bool, byte_view) { return false; };
  n.send(n.a, "second");
  n.a_reads = true;
  n.run(1s);
  CHECK(n.a.outstanding() == 6);
}
