#include "signaling/hub/exchange.hpp"

#include <algorithm>

#include "tests/signaling/hub/switchboard.hpp"

namespace nat::hub {
namespace {

using test::client_id;
using test::field;
using test::switchboard;
using namespace std::chrono_literals;

std::string offer(std::string_view target, std::string_view sdp = "v=0") {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

TEST_CASE("two peers find each other") {
  switchboard s;
  s.plan.stun = {{make_v4(0), 3478}};
  const auto al = s.connect();
  s.say(al, R"({"type":"register","peer_id":"al"})");
  const auto registered = s.heard(al);
  CHECK(registered.starts_with(R"({"type":"registered","peer_id":"al","resume":")"));
  CHECK(registered.ends_with(R"("ice_servers":[{"urls":["stun:127.0.0.1:3478"]}],"ttl":43200})"));
  const auto bob = s.join("bob");
  s.say(al, R"({"type":"offer","sdp":"v=0\r\n\u20ac","target":"bob","session":"s","more":1})");
  CHECK(s.heard(bob) == R"({"type":"offer","from":"al","session":"s","sdp":"v=0\r\n\u20ac"})");
  s.say(bob, R"({"type":"answer","target":"al","sdp":"w"})");
  CHECK(s.heard(al) == R"({"type":"answer","from":"bob","sdp":"w"})");
  s.say(bob, R"({"type":"candidate","target":"al","candidate":{"candidate":"c","x":[1]}})");
  CHECK(s.heard(al) ==
        R"({"type":"candidate","from":"bob","candidate":{"candidate":"c","x":[1]}})");
  s.say(bob, R"({"type":"candidate","target":"al","candidate":null,"session":"s"})");
  CHECK(s.heard(al) == R"({"type":"candidate","from":"bob","session":"s","candidate":null})");
  s.say(al, R"({"type":"bye","target":"bob","reason":"done"})");
  CHECK(s.heard(bob) == R"({"type":"bye","from":"al","reason":"done"})");
  s.say(al, R"({"type":"outcome","path":"direct","connect_ms":18})");
  CHECK(s.heard(al) == "");
  CHECK(s.exchanges[0]->stats().outcomes[0] == 1);
  CHECK(s.exchanges[0]->stats().connect_ms == 18);
  s.say(al, R"({"type":"outcome","path":"relay","connect_ms":1e300})");
  CHECK(s.exchanges[0]->stats().connect_ms == 60'018);
}

TEST_CASE("errors leave the connection alive") {
  switchboard s;
  const auto al = s.connect();
  const auto error = [&](const std::string& text) {
    s.say(al, text);
    return s.heard(al);
  };
  CHECK(field(error("nonsense"), "code") == "bad-message");
  const auto early = error(offer("bob"));
  CHECK(field(early, "code") == "not-registered");
  CHECK(field(early, "request") == "offer");
  CHECK(field(early, "target") == "bob");
  CHECK(field(error(R"({"type":"outcome","path":"relay"})"), "code") == "not-registered");
  CHECK(field(error(R"({"type":"register","peer_id":""})"), "code") == "bad-peer-id");
  CHECK(error(R"({"type":"register","peer_id":"al"})").contains("\"registered\""));
  CHECK(field(error(R"({"type":"register","peer_id":"al2"})"), "code") == "already-registered");
  const auto offline = error(offer("nobody"));
  CHECK(field(offline, "code") == "peer-not-found");
  CHECK(field(offline, "request") == "offer");
  CHECK(field(offline, "target") == "nobody");
  s.exchanges[0]->handle_binary(al.slot, 3, s.now);
  s.carry_out();
  CHECK(field(s.heard(al), "code") == "bad-message");
  CHECK(s.closed(al) == "");
  const auto other = s.connect();
  s.say(other, R"({"type":"register","peer_id":"al"})");
  const auto taken = s.heard(other);
  CHECK(field(taken, "code") == "id-taken");
  CHECK(field(taken, "request") == "register");
  s.say(other, R"({"type":"register","peer_id":"other"})");
  CHECK(s.heard(other).contains("\"registered\""));
}

TEST_CASE("a resume secret takes the name over; the replaced connection can't say another word") {
  for (const std::uint32_t other_loop : {0U, 1U}) {
    switchboard s({}, 2);
    const auto bob = s.join("bob");
    const auto old = s.connect();
    s.say(old, R"({"type":"register","peer_id":"al"})");
    const auto secret = field(s.heard(old), "resume");
    const auto fresh = s.connect(other_loop);
    // Where the old connection lives on another loop, that loop may not have heard yet.
    s.hold_envelopes = 1;
    s.say(fresh, R"({"type":"register","peer_id":"al","resume":")" + secret + "\"}");
    CHECK(field(s.heard(fresh), "resume") == secret);
    if (other_loop != 0) {
      CHECK(s.closed(old) == "");
      s.say(old, offer("bob", "stale"));
    }
    CHECK(s.closed(old) == "superseded");
    CHECK(s.code(old) == websocket::close_code::superseded);
    CHECK(s.heard(bob) == "");
    s.hold_envelopes = 0;
    s.carry_out();
    s.say(fresh, offer("bob", "fresh"));
    CHECK(s.heard(bob).contains("fresh"));
    s.say(bob, offer("al", "back"));
    CHECK(s.heard(fresh).contains("back"));
    CHECK(s.heard(old) == "");
  }
}

TEST_CASE("a name is free at once after a clean end, held after another, and offline in both") {
  switchboard s;
  const auto bob = s.join("bob");
  const auto al = s.join("al");
  s.leave(al, ending::clean);
  s.say(bob, offer("al"));
  CHECK(field(s.heard(bob), "code") == "peer-not-found");
  const auto again = s.join("al");
  s.leave(again, ending::unclean);
  s.say(bob, offer("al"));
  CHECK(field(s.heard(bob), "code") == "peer-not-found");
  const auto thief = s.connect();
  s.say(thief, R"({"type":"register","peer_id":"al"})");
  CHECK(field(s.heard(thief), "code") == "id-taken");
}

TEST_CASE("between loops: delivered, offline at once, busy told to the sender") {
  hub::limits l;
  l.send_queue_bytes = 10'000;
  switchboard s(l, 2);
  const auto al = s.join("al", 0);
  const auto bob = s.join("bob", 1);
  s.say(al, offer("bob"));
  CHECK(s.heard(bob) == R"({"type":"offer","from":"al","sdp":"v=0"})");
  // On its way while the target leaves: refused, not lost in silence.
  s.hold_envelopes = 1;
  s.say(al, offer("bob"));
  s.exchanges[1]->handle_closed(bob.slot, ending::clean, s.now);
  s.hold_envelopes = 0;
  s.carry_out();
  const auto offline = s.heard(al);
  CHECK(field(offline, "code") == "peer-not-found");
  CHECK(field(offline, "request") == "offer");
  CHECK(field(offline, "target") == "bob");
  // Its slot's next user does not get what was meant for it.
  const auto slow = s.join("slow", 1);
  CHECK(slow.slot == bob.slot);
  CHECK(s.peek(slow) == "");
  for (int i = 0; i < 3; ++i) s.say(al, offer("slow", std::string(4000, 'x')));
  CHECK(s.closed(slow) == "");
  CHECK(field(s.heard(al), "code") == "peer-busy");
}

TEST_CASE(
    "a client that does not read gets no more than fits, is cut off in time, and nobody waits") {
  hub::limits l;
  l.send_queue_bytes = 100'000;
  l.messages_per_second = 0;
  switchboard s(l);
  const auto al = s.join("al"), slow = s.join("slow"), bob = s.join("bob");
  int sent = 0;
  while (s.peek(al).empty() && sent < 1000) {
    s.say(al, offer("slow", std::string(1000, 'x')));
    ++sent;
  }
  CHECK(sent > 80);
  CHECK(sent < 101);
  const auto busy = s.heard(al);
  CHECK(field(busy, "code") == "peer-busy");
  CHECK(field(busy, "target") == "slow");
  s.say(al, offer("bob"));
  CHECK(s.heard(bob).contains("offer"));
  const auto full_at = s.now;
  while (s.now < full_at + 9s) {
    s.pass(1s);
    s.say(al, offer("slow", std::string(1000, 'x')));
    CHECK(field(s.heard(al), "code") == "peer-busy");
  }
  CHECK(s.peek(slow).size() <= 100'000);
  CHECK(s.closed(slow) == "");
  s.run_until(full_at + 10s);  // though nobody says another word to it
  CHECK(s.closed(slow) == "too-slow");
  CHECK(s.exchanges[0]->stats().closed[static_cast<std::size_t>(closing::too_slow)] == 1);
  s.say(al, offer("slow"));
  CHECK(field(s.heard(al), "code") == "peer-not-found");
  SUBCASE("nor does one that asks without reading the answers fill memory") {
    int asked = 0;
    while (s.closed(bob).empty() && asked++ < 100'000) s.say(bob, "nonsense");
    CHECK(s.closed(bob).empty() == false);
    CHECK(s.peek(bob).size() <= 100'000);
  }
}

// Whether a client that reads so much lasts, while so many strangers say the largest messages to it
// as fast as they can, and come again when they are thrown out.
bool lasts(std::size_t octets_per_second, std::size_t strangers) {
  constexpr auto step = 50ms;
  switchboard s;
  const auto victim = s.join("victim");
  std::vector<client_id> others(strangers);
  int names = 0;
  const auto comes = [&] { return s.join("stranger-" + std::to_string(names++)); };
  std::ranges::generate(others, comes);
  const auto big = offer("victim", std::string(65'000, 'x'));
  const auto refused = [&](client_id c) { return !s.heard(c).empty() || !s.closed(c).empty(); };
  for (const auto end = s.now + 25s; s.now < end && s.closed(victim).empty(); s.pass(step)) {
    s.exchanges[0]->handle_control(victim.slot, s.now);
    for (auto& c : others) {
      if (!s.closed(c).empty()) c = comes();
      do s.say(c, big);
      while (!refused(c));
    }
    CHECK(s.peek(victim).size() <= s.limits.send_queue_bytes);
    s.read(victim, octets_per_second / (1s / step));
  }
  if (!s.closed(victim).empty()) CHECK(s.closed(victim) == "too-slow");
  return s.closed(victim).empty();
}

TEST_CASE("strangers can't get a client cut off that reads, only one that does not") {
  CHECK(lasts(1'000'000, 1));
  CHECK(lasts(1'000'000, 5));
  CHECK(lasts(15'000, 5));
  CHECK_FALSE(lasts(4'000, 5));
  CHECK_FALSE(lasts(0, 1));
}

TEST_CASE("what strangers fill of a queue leaves room for answers") {
  switchboard s;
  const auto al = s.join("al"), bob = s.join("bob");
  while (s.peek(bob).empty()) s.say(bob, offer("al", std::string(1000, 'x'))), s.now += 20ms;
  CHECK(field(s.heard(bob), "code") == "peer-busy");
  for (int i = 0; i < 150; ++i) s.say(al, offer("nobody"));
  CHECK(s.closed(al) == "");
  CHECK(s.heard(al).ends_with("\"target\":\"nobody\"}"));
}

TEST_CASE("a message that is larger than the whole queue is refused, and its target stays") {
  hub::limits l;
  l.send_queue_bytes = 10'000;
  switchboard s(l);
  const auto al = s.join("al"), bob = s.join("bob");
  s.heard(bob);
  s.say(al, offer("bob", std::string(20'000, 'x')));
  CHECK(field(s.heard(al), "code") == "peer-busy");
  s.pass(29s);
  CHECK(s.closed(bob) == "");
}

TEST_CASE("too much is kept in all: who can be told is told, who does not read is cut off") {
  switchboard s;
  const auto al = s.join("al"), bob = s.join("bob");
  s.say(bob, offer("al"));
  for (const auto c : {al, bob}) {
    s.exchanges[0]->handle_overload(c.slot, s.now);
    s.carry_out();
    CHECK(s.closed(c) == "overloaded");
    CHECK(s.code(c) == websocket::close_code::try_again_later);
    CHECK(s.aborted(c) == (c == al));
  }
  CHECK(s.exchanges[0]->stats().closed[static_cast<std::size_t>(closing::overloaded)] == 2);
}

TEST_CASE("a large message counts as many, but never for more than a burst") {
  switchboard s;
  const auto al = s.join("al");
  const auto bob = s.join("bob");
  const auto says = [&](std::size_t size) {
    s.say(al, offer("bob", std::string(size, 'x')));
    s.heard(bob);
    return field(s.heard(al), "code");
  };
  for (int i = 0; i < 12; ++i) CHECK(says(65'000) == "");  // 16 each, and the registration
  CHECK(says(4'000) == "");
  CHECK(says(65'000) == "rate-limited");
  hub::limits few;
  few.messages_per_second = 1;
  CHECK(few.cost(65'536) == 4);
  CHECK(few.cost(4'097) == 2);
  CHECK(few.cost(4'096) == 1);
  CHECK(few.cost(0) == 1);
}

TEST_CASE("what is not text is charged by its size too") {
  switchboard s;
  const auto al = s.join("al");
  const auto sends = [&](std::size_t size) {
    s.exchanges[0]->handle_binary(al.slot, size, s.now);
    s.carry_out();
    return field(s.heard(al), "code");
  };
  for (int i = 0; i < 12; ++i) CHECK(sends(65'000) == "bad-message");  // 16 each
  CHECK(sends(65'000) == "rate-limited");
}

TEST_CASE("in a cluster, what can be no resume secret is not carried there") {
  switchboard s;
  hub::fence fence;
  s.exchanges[0]->join_cluster(fence);
  s.hold_envelopes = 1;
  const auto asks = [&](const std::string& resume) {
    s.say(s.connect(), R"({"type":"register","peer_id":"al","resume":")" + resume + "\"}");
    const auto e = s.exchanges[0]->poll_envelope();
    REQUIRE(e);
    CHECK(e->what == hub::envelope::type::claim);
    return e->text;
  };
  const std::string longest(64, 'x');
  CHECK(asks(longest) == longest);
  CHECK(asks(longest + 'x') == "");
  CHECK(asks(std::string(60'000, 'x')) == "");
}

TEST_CASE("a server that lost its lease sends nobody what waited, and says goodbye to the others") {
  switchboard s;
  hub::fence fence;
  fence.renew(s.now + 10s);
  s.exchanges[0]->join_cluster(fence);
  const auto slow = s.connect(), idle = s.connect();
  s.say(slow, offer("nobody"));  // the answer waits
  s.now += 11s;
  s.say(idle, offer("nobody"));
  for (const auto c : {slow, idle}) {
    CHECK(s.closed(c) == "fenced");
    CHECK(s.aborted(c) == (c == slow));
  }
}

TEST_CASE("who comes as the first after a new term has begun stays") {
  switchboard s;
  hub::fence fence;
  s.exchanges[0]->join_cluster(fence);
  const auto old = s.connect();
  fence.new_term();
  const auto fresh = s.connect();
  CHECK(s.closed(old) == "fenced");
  CHECK(s.closed(fresh) == "");
  CHECK_FALSE(s.exchanges[0]->fenced(s.now));
}

TEST_CASE("the smallest rate lets a registration through") {
  hub::limits l;
  l.messages_per_second = 0.1;
  switchboard s(l);
  const auto al = s.join("al");
  s.say(al, offer("bob"));
  CHECK(field(s.heard(al), "code") == "rate-limited");
  s.pass(21s);
  s.say(al, offer("bob"));
  CHECK(field(s.heard(al), "code") == "peer-not-found");
}

TEST_CASE("too many messages are dropped, far too many end the connection") {
  switchboard s;
  const auto al = s.join("al");
  const auto bob = s.join("bob");
  for (int i = 0; i < 199; ++i) s.say(al, offer("bob"));
  CHECK(s.heard(al) == "");
  s.heard(bob);
  s.say(al, offer("bob"));
  CHECK(field(s.heard(al), "code") == "rate-limited");
  CHECK(s.heard(bob) == "");
  s.pass(1s);  // fifty more
  for (int i = 0; i < 49; ++i) s.say(al, offer("bob"));
  CHECK(s.heard(al) == "");
  for (int i = 0; i < 190; ++i) s.exchanges[0]->handle_control(al.slot, s.now);
  s.carry_out();
  CHECK(s.closed(al) == "");
  for (int i = 0; i < 20 && s.closed(al).empty(); ++i) s.say(al, offer("bob"));
  CHECK(s.closed(al) == "flooding");
  CHECK(s.code(al) == websocket::close_code::policy_violation);
  s.heard(bob);
  s.say(bob, offer("al"));
  CHECK(field(s.heard(bob), "code") == "peer-not-found");
}

TEST_CASE("a message that is too large: an error, then the close") {
  switchboard s;
  const auto al = s.join("al");
  s.exchanges[0]->handle_too_large(al.slot, s.now);
  s.carry_out();
  CHECK(field(s.peek(al), "code") == "too-large");
  CHECK(s.closed(al) == "too-large");
  CHECK(s.code(al) == websocket::close_code::too_big);
}

TEST_CASE("a broken frame ends its own connection only, with the code that it earned") {
  switchboard s;
  const auto al = s.join("al"), bob = s.join("bob");
  s.exchanges[0]->handle_violation(al.slot, websocket::close_code::invalid_payload, "why", s.now);
  s.carry_out();
  CHECK(s.closed(al) == "why");
  CHECK(s.code(al) == websocket::close_code::invalid_payload);
  CHECK(s.closed(bob) == "");
}

TEST_CASE("who does not register in time is told so and closed") {
  switchboard s;
  const auto start = s.now;
  const auto idle = s.connect(), al = s.join("al");
  s.run_until(start + 9999ms);
  CHECK(s.closed(idle) == "");
  s.run_until(start + 10s);
  CHECK(field(s.peek(idle), "code") == "not-registered");
  CHECK(s.closed(idle) == "unregistered");
  CHECK(s.closed(al) == "");
  s.now += 5s;  // counted from the TCP connection, not from the upgrade
  const auto late = s.connect(0, 8s);
  s.pass(1999ms);
  CHECK(s.closed(late) == "");
  s.pass(1ms);
  CHECK(s.closed(late) == "unregistered");
}

TEST_CASE("silence: a ping after half of it, then the end; an answer keeps the connection") {
  switchboard s;
  const auto start = s.now;
  const auto mute = s.join("mute"), alive = s.join("alive");
  s.run_until(start + 29s);
  CHECK(s.pings(mute) == 0);
  s.run_until(start + 31s);
  CHECK(s.pings(mute) == 1);
  CHECK(s.pings(alive) == 1);
  s.exchanges[0]->handle_control(alive.slot, s.now);
  s.run_until(start + 59s);
  CHECK(s.closed(mute) == "");
  s.run_until(start + 60s);
  CHECK(s.closed(mute) == "silent");
  CHECK(s.closed(alive) == "");
  s.run_until(start + 62s);
  CHECK(s.pings(alive) == 2);
  s.run_until(start + 10h);
  CHECK(s.closed(alive) == "silent");
  CHECK_FALSE(s.exchanges[0]->next_timeout().has_value());
}

TEST_CASE("silence: whoever is pinged late has as long for the answer") {
  switchboard s;
  const auto mute = s.join("mute"), alive = s.join("alive");
  s.pass(3min);  // the process stood still
  CHECK(s.pings(mute) == 1);
  CHECK(s.pings(alive) == 1);
  const auto pinged = s.now;
  s.run_until(pinged + 29s);
  s.exchanges[0]->handle_control(alive.slot, s.now);
  CHECK(s.closed(mute) == "");
  s.run_until(pinged + 30s);
  CHECK(s.closed(mute) == "silent");
  CHECK(s.closed(alive) == "");
}

TEST_CASE("limits of zero: no timeouts at all, no rate, no queue limit") {
  hub::limits l;
  l.register_timeout = l.idle_timeout = 0ms;
  l.messages_per_second = 0;
  l.send_queue_bytes = 0;
  switchboard s(l);
  const auto al = s.join("al"), quiet = s.connect();
  CHECK_FALSE(s.exchanges[0]->next_timeout().has_value());
  s.pass(1000h);
  CHECK(s.closed(quiet) == "");
  for (int i = 0; i < 5000; ++i) s.say(al, offer("al", std::string(1000, 'x')));
  CHECK(s.closed(al) == "");
  CHECK(s.peek(al).size() > 5'000'000);
}

TEST_CASE("draining: everybody is told to go elsewhere, whoever comes later too") {
  switchboard s;
  const auto al = s.join("al"), quiet = s.connect();
  s.exchanges[0]->drain(s.now);
  s.carry_out();
  for (const auto c : {al, quiet}) {
    CHECK(s.peek(c) == R"({"type":"going-away"})");
    CHECK(s.code(c) == websocket::close_code::going_away);
  }
  const auto late = s.connect();
  CHECK(s.closed(late) == "draining");
  CHECK(s.exchanges[0]->stats().connections == 0);
}

TEST_CASE("deadlines of connections that came and went do not pile up") {
  switchboard s;
  const auto keep = s.join("keep");
  for (int i = 0; i < 20'000; ++i) s.leave(s.connect(), ending::clean);
  CHECK(s.exchanges[0]->stats().opened == 20'001);
  CHECK(s.exchanges[0]->stats().connections == 1);
  s.run_until(s.now + 29s);
  CHECK(s.closed(keep) == "");
  s.run_until(s.now + 31s);
  CHECK(s.closed(keep) == "silent");
}

TEST_CASE("every message is counted with what became of it, on one loop and over two") {
  for (const std::uint32_t loops : {1U, 2U}) {
    switchboard s({}, loops);
    const auto al = s.join("al"), bob = s.join("bob", loops - 1);
    s.say(s.connect(), offer("al"));  // not registered
    s.say(s.connect(), R"({"type":"register","peer_id":"al"})");
    s.say(al, offer("bob"));
    s.say(al, offer("nobody"));
    s.say(bob, R"({"type":"bye","target":"al"})");
    s.say(bob, R"({"type":"candidate","target":"gone","candidate":null})");
    s.say(bob, R"({"type":"answer","target":"al"})");  // no sdp
    s.say(bob, R"({"type":"outcome","path":"relay"})");
    counters all;
    for (const auto& x : s.exchanges) all += x->stats();
    const auto count = [&](request_type t, fate f) {
      return all.messages[static_cast<std::size_t>(t)][static_cast<std::size_t>(f)];
    };
    CHECK(count(request_type::register_, fate::granted) == 2);
    CHECK(count(request_type::register_, fate::refused) == 1);
    CHECK(count(request_type::offer, fate::forwarded) == 1);
    CHECK(count(request_type::offer, fate::refused) == 2);
    CHECK(count(request_type::bye, fate::forwarded) == 1);
    CHECK(count(request_type::candidate, fate::refused) == 1);
    CHECK(count(request_type::answer, fate::refused) == 1);
    CHECK(count(request_type::outcome, fate::counted) == 1);
  }
}

TEST_CASE("the high-water mark of the queues comes down again") {
  switchboard s;
  const auto al = s.join("al");
  s.say(al, offer("al", std::string(50'000, 'x')));
  CHECK(s.exchanges[0]->stats().queue_high_water > 50'000);
  s.heard(al);
  s.pass(20s);
  CHECK(s.exchanges[0]->stats().queue_high_water > 50'000);
  s.pass(30s);
  s.pass(30s);
  CHECK(s.exchanges[0]->stats().queue_high_water < 50'000);
}

TEST_CASE("a drain sends many away in shares, a few at once, and all of them in time") {
  limits l;
  l.idle_timeout = {};
  switchboard s(l);
  std::vector<client_id> all;
  for (int i = 0; i < 3000; ++i) all.push_back(s.join("p" + std::to_string(i)));
  const auto told = [&] {
    return std::ranges::count_if(all, [&](client_id c) { return s.closed(c) == "draining"; });
  };
  s.exchanges[0]->drain(s.now, 3s);
  s.carry_out();
  std::vector<std::ptrdiff_t> waves{told()};
  s.say(all.back(), offer("p2999", "still here"));
  CHECK(s.heard(all.back()).contains("still here"));
  CHECK(s.closed(s.connect()) == "draining");  // who comes to a server that goes
  const auto begun = s.now;
  for (auto before = told(); before < 3000; before = told()) {
    const auto next = s.exchanges[0]->next_timeout();
    REQUIRE(next.has_value());
    s.run_until(*next);
    waves.push_back(told() - before);
  }
  CHECK(s.now - begun < 3s);
  CHECK(waves.size() == 12);
  CHECK(std::ranges::max(waves) <= 250);
  CHECK(s.exchanges[0]->stats().connections == 0);

  switchboard few(l);
  for (int i = 0; i < 60; ++i) few.join("p" + std::to_string(i));
  few.exchanges[0]->drain(few.now, 3s);
  few.carry_out();
  CHECK(few.exchanges[0]->stats().connections == 0);
}

TEST_CASE("a drain whose steps come late tells all of them in time nevertheless") {
  switchboard s;
  for (int i = 0; i < 3000; ++i) s.join("p" + std::to_string(i));
  s.exchanges[0]->drain(s.now, 3s);
  s.carry_out();
  s.pass(2s);
  CHECK(s.exchanges[0]->stats().connections < 1000);
  s.pass(1s);
  CHECK(s.exchanges[0]->stats().connections == 0);
}

}  // namespace
}  // namespace nat::hub
