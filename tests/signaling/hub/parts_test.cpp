// The hub's small parts: how fast one may talk, what is announced and counted.

#include <algorithm>
#include <map>

#include "signaling/hub/announcement.hpp"
#include "signaling/hub/deadline_queue.hpp"
#include "signaling/hub/line_limiter.hpp"
#include "signaling/hub/metrics.hpp"
#include "signaling/hub/recent_peak.hpp"
#include "signaling/hub/token_bucket.hpp"
#include "signaling/hub/trusted_proxies.hpp"
#include "tests/check.hpp"

namespace nat::hub {
namespace {

using namespace std::chrono_literals;

address at(std::string_view text) {
  return parse_address(text).value();
}

TEST_CASE("deadlines come in the order of their times, however they were set") {
  test::seeded_random random;
  deadline_queue queue;
  std::multimap<time_point, std::uint32_t> expected;
  time_point now{};
  for (std::uint32_t slot = 0; slot < 20'000; ++slot) {
    now += 1ms;
    // Most are patient, some are not, and some times are equal.
    std::byte chance[1];
    random.fill(chance);
    const auto odd = std::to_integer<int>(chance[0]);
    const auto when = now + (odd < 200 ? 3s : odd * 10ms);
    queue.push({when, slot, 0});
    expected.emplace(when, slot);
    while (const auto due = queue.pop_due(now)) {
      REQUIRE(due->when == expected.begin()->first);
      const auto [first, last] = expected.equal_range(due->when);
      const auto same =
          std::find_if(first, last, [&](const auto& e) { return e.second == due->slot; });
      REQUIRE(same != last);
      expected.erase(same);
    }
    REQUIRE(queue.size() == expected.size());
    REQUIRE(queue.next() == expected.begin()->first);
    REQUIRE(expected.begin()->first > now);
  }
  const auto is_odd = [](const auto& e) { return e.slot % 2 == 1; };
  queue.drop(is_odd);
  std::erase_if(expected, [](const auto& e) { return e.second % 2 == 1; });
  while (const auto due = queue.pop_due(time_point::max())) {
    REQUIRE(due->when == expected.begin()->first);
    expected.erase(expected.begin());
  }
  CHECK(expected.empty());
}

TEST_CASE("a histogram counts by bounds that are part of their bucket, as Prometheus reads it") {
  gauges g;
  g.forwarding.observe(20us, 3);
  g.forwarding.observe(21us);
  g.forwarding.observe(2s);
  g.lag.observe(-1ms);
  g.forwarding += g.lag;
  const auto text = metrics_text({}, g);
  for (const char* line :
       {"\n# TYPE signaling_forwarding_seconds histogram\n",
        "\nsignaling_forwarding_seconds_bucket{le=\"2e-05\"} 4\n",
        "\nsignaling_forwarding_seconds_bucket{le=\"5e-05\"} 5\n",
        "\nsignaling_forwarding_seconds_bucket{le=\"1\"} 5\n",
        "\nsignaling_forwarding_seconds_bucket{le=\"+Inf\"} 6\n",
        "\nsignaling_forwarding_seconds_sum 2.000081\n", "\nsignaling_forwarding_seconds_count 6\n",
        "\nsignaling_event_loop_late_seconds_count 1\n"}) {
    CHECK_MESSAGE(text.contains(line), line);
  }
}

TEST_CASE("a peak is told for 30 to 60 seconds, and then no more") {
  recent_peak<int> p;
  time_point now{1h};
  p.pass(now);
  p.note(7);
  p.note(3);
  for (const auto& [later, expected] : {std::pair{29s, 7}, {30s, 7}, {59s, 7}, {60s, 0}}) {
    p.pass(now + later);
    CHECK(p.value() == expected);
  }
}

TEST_CASE("of a flood of lines some are written, and how many were not is told") {
  line_limiter lines;
  time_point now{1h};
  int written = 0;
  std::uint64_t told = 0;
  const auto flood = [&](int seconds) {
    for (int i = 0; i < seconds * 1000; ++i) {
      now += 1ms;
      if (lines.admit(now)) ++written;
      told += lines.take_left_out(now);
    }
  };
  flood(9);
  CHECK(written >= 50);
  CHECK(written <= 50 + 2 * 9);
  CHECK(told == 0);
  flood(60);
  CHECK(written <= 50 + 2 * 69);
  CHECK(lines.take_left_out(now + 10s) + told + static_cast<std::uint64_t>(written) == 69'000);
  CHECK(lines.take_left_out(now + 1h) == 0);
  CHECK(lines.admit(now + 1h));
}

TEST_CASE("X-Forwarded-For counts from trusted proxies only, and is read from the right") {
  const trusted_proxies proxies({*turn::parse_prefix("10.0.0.0/8"), *turn::parse_prefix("::1")});
  const auto client = [&](std::string_view peer, std::string_view list) {
    return to_string(proxies.client_of(at(peer), list));
  };
  CHECK(client("192.0.2.1", "198.51.100.7") == "192.0.2.1");
  CHECK(client("10.0.0.1", "198.51.100.7") == "198.51.100.7");
  CHECK(client("::ffff:10.0.0.1", "198.51.100.7") == "198.51.100.7");
  CHECK(client("10.0.0.1", "203.0.113.9, 198.51.100.7") == "198.51.100.7");
  CHECK(client("10.0.0.1", "203.0.113.9 ,\t198.51.100.7 , 10.2.3.4") == "198.51.100.7");
  CHECK(client("::1", "2001:db8::5") == "2001:db8::5");
  CHECK(client("::1", "[2001:db8::5]:1234") == "2001:db8::5");
  CHECK(client("10.0.0.1", "198.51.100.7:80") == "198.51.100.7");
  CHECK(client("10.0.0.1", "") == "10.0.0.1");
  CHECK(client("10.0.0.1", "unknown") == "10.0.0.1");
  CHECK(client("10.0.0.1", "198.51.100.7, , 10.0.0.2") == "10.0.0.2");
  CHECK(client("10.0.0.1", "10.0.0.3,10.0.0.2") == "10.0.0.3");
  CHECK(to_string(trusted_proxies().client_of(at("10.0.0.1"), "198.51.100.7")) == "10.0.0.1");
}

TEST_CASE(
    "a bucket fills with time, never above its burst, and shows by how much it is overdrawn") {
  time_point now{1h};
  token_bucket bucket(10, 3, now);
  CHECK(bucket.take(now) == 2);
  CHECK(bucket.take(now) == 1);
  CHECK(bucket.take(now) == 0);
  CHECK(bucket.take(now) == -1);
  now += 100ms;
  CHECK(bucket.take(now) == doctest::Approx(-1));
  now += 1h;
  CHECK(bucket.take(now) == 2);
  CHECK(bucket.take(now - 1s) == 1);  // a clock that stands still or jumps back fills nothing
}

TEST_CASE("the embedded STUN server is announced at the address that the client reached") {
  announcement plan;
  plan.stun = {{at("0.0.0.0"), 3478}, {at("::"), 3479}};
  const auto urls = [&](std::string_view reached) {
    const auto servers = servers_for(plan, "al", at(reached), 0);
    REQUIRE(servers.size() == 1);
    CHECK(servers[0].username.empty());
    return servers[0].urls;
  };
  CHECK(urls("192.0.2.7") == std::vector<std::string>{"stun:192.0.2.7:3478"});
  CHECK(urls("2001:db8::7") == std::vector<std::string>{"stun:[2001:db8::7]:3479"});
  plan.external = at("198.51.100.1");
  CHECK(urls("10.0.0.5") == std::vector<std::string>{"stun:198.51.100.1:3478"});
  CHECK(urls("2001:db8::7") == std::vector<std::string>{"stun:198.51.100.1:3478"});
  plan.external.reset();
  plan.stun = {{at("127.0.0.1"), 4000}};
  CHECK(urls("127.0.0.1") == std::vector<std::string>{"stun:127.0.0.1:4000"});
  CHECK(urls("::1") == std::vector<std::string>{"stun:127.0.0.1:4000"});
  plan.stun_alternate = {{at("127.0.0.2"), 4001}};
  CHECK(urls("127.0.0.1") ==
        std::vector<std::string>{"stun:127.0.0.1:4000", "stun:127.0.0.2:4001"});
  plan.stun.clear();
  plan.stun_alternate.clear();
  CHECK(servers_for(plan, "al", at("192.0.2.7"), 0).empty());
}

TEST_CASE("the embedded TURN server is announced beside it, with credentials") {
  announcement plan;
  plan.stun = {{at("0.0.0.0"), 3478}, {at("::"), 3478}};
  plan.turn = true;
  plan.turn_secret = "north";
  plan.credential_lifetime = 1000s;
  const auto servers = servers_for(plan, "al", at("2001:db8::7"), 1'699'999'000);
  REQUIRE(servers.size() == 2);
  CHECK(servers[0] == signal::ice_server{{"stun:[2001:db8::7]:3478"}, "", ""});
  CHECK(servers[1] == signal::ice_server{{"turn:[2001:db8::7]:3478?transport=udp",
                                          "turn:[2001:db8::7]:3478?transport=tcp"},
                                         "1700000000:al",
                                         "3nJkY7cuqHDFbTsKwShysKTvBSM="});
}

TEST_CASE("where there is TLS, turns is announced by what the certificate is for") {
  announcement plan;
  plan.stun = {{at("0.0.0.0"), 3478}};
  plan.tls = {{at("0.0.0.0"), 443}, {at("192.0.2.7"), 443}, {at("::"), 443}};
  plan.turn = true;
  const auto turns = [&] {
    auto urls = servers_for(plan, "al", at("192.0.2.7"), 0)[1].urls;
    return urls.size() == 2 ? "" : urls.at(2);
  };
  CHECK(turns() == "");  // a certificate for nobody: clients would refuse any host
  plan.certified_name = "meet.example.net";
  CHECK(turns() == "turns:meet.example.net:443?transport=tcp");
  plan.certified_addresses = {at("192.0.2.7")};
  CHECK(turns() == "turns:192.0.2.7:443?transport=tcp");
  plan.certified_name.clear();
  plan.certified_addresses = {at("192.0.2.8")};
  CHECK(turns() == "");
}

// printf 1700000000:al | openssl dgst -sha1 -hmac north -binary | base64
TEST_CASE("servers given by hand take the embedded one's place, TURN with credentials") {
  announcement plan;
  plan.stun = {{at("0.0.0.0"), 3478}};
  plan.urls = {"stun:a", "turn:b?transport=udp", "turns:c"};
  plan.turn_secret = "north";
  plan.credential_lifetime = 1000s;
  const auto servers = servers_for(plan, "al", at("192.0.2.7"), 1'699'999'000);
  REQUIRE(servers.size() == 2);
  CHECK(servers[0] == signal::ice_server{{"stun:a"}, "", ""});
  CHECK(servers[1] == signal::ice_server{{"turn:b?transport=udp", "turns:c"},
                                         "1700000000:al",
                                         "3nJkY7cuqHDFbTsKwShysKTvBSM="});
}

TEST_CASE("metrics: every family has its help and type, every sample its value") {
  counters c, other;
  c.errors[static_cast<std::size_t>(error_code::peer_busy)] = 3;
  other.errors[static_cast<std::size_t>(error_code::peer_busy)] = 4;
  c.queue_high_water = 9;
  other.queue_high_water = 7;
  other.outcomes[1] = 2;
  other.connect_ms = 1.5;
  c += other;
  gauges g;
  g.stun.turn.refused[static_cast<std::size_t>(turn::refusal::quota)] = 5;
  g.stun.turn.allocations = 2;
  stun_counters more;
  more.turn.allocations = 1;
  more.turn.bytes_to_peers = 1200;
  g.stun += more;
  g.event_loop_lag_seconds = 0.25;
  c.count(request_type::offer, fate::forwarded);
  c.count(request_type::bye, fate::refused);
  CHECK_FALSE(metrics_text(c, g).contains("certificate_expires"));
  g.certificate_expires = 1'900'000'000;
  g.reloads_failed = 3;
  const auto text = metrics_text(c, g);
  CHECK(text.contains("\nsignaling_errors_total{code=\"peer-busy\"} 7\n"));
  CHECK(text.contains("\nsignaling_queue_high_water_bytes 9\n"));
  CHECK(text.contains("\nsignaling_outcomes_total{path=\"relay\"} 2\n"));
  CHECK(text.contains("\nsignaling_connect_milliseconds_sum 1.5\n"));
  CHECK(text.contains("\nsignaling_event_loop_lag_seconds 0.25\n"));
  CHECK(text.contains("# TYPE signaling_messages_total counter\n"));
  for (const char* line : {"\nsignaling_messages_total{type=\"offer\",outcome=\"forwarded\"} 1\n",
                           "\nsignaling_messages_total{type=\"offer\",outcome=\"refused\"} 0\n",
                           "\nsignaling_messages_total{type=\"bye\",outcome=\"refused\"} 1\n",
                           "\nsignaling_messages_total{type=\"register\",outcome=\"granted\"} 0\n",
                           "\nsignaling_messages_total{type=\"outcome\",outcome=\"counted\"} 0\n",
                           "\nsignaling_reloads_total{outcome=\"failed\"} 3\n",
                           "\nsignaling_certificate_expires_timestamp_seconds 1900000000\n"}) {
    CHECK_MESSAGE(text.contains(line), line);
  }
  CHECK(text.contains("\nsignaling_relay_allocations 3\n"));
  CHECK(text.contains("\nsignaling_relay_bytes_total{to=\"peer\"} 1200\n"));
  CHECK(text.contains("\nsignaling_relay_refused_total{reason=\"quota\"} 5\n"));
  CHECK(text.ends_with('\n'));
}

}  // namespace
}  // namespace nat::hub
