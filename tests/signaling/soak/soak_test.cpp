// Good and hostile clients together at one server, for SOAK_SECONDS (6) in the clear and over TLS
// each: no report of a sanitizer, no growth, nothing left behind, and the good ones notice nothing.
// For minutes of it under the address and the thread sanitizer: scripts/soak.

#include <signal.h>

#include "tests/check.hpp"
#include "tests/signaling/soak/crowd.hpp"
#include "tests/signaling/soak/good_pair.hpp"
#include "tests/signaling/soak/good_relayed.hpp"
#include "tests/signaling/soak/hostile.hpp"
#include "tests/signaling/soak/public_host.hpp"

namespace nat::test {
namespace {

// OpenSSL writes to sockets without MSG_NOSIGNAL.
const auto no_sigpipe = ::signal(SIGPIPE, SIG_IGN);

template <class Client>
using several = std::vector<std::unique_ptr<Client>>;

struct good_clients {
  several<good_pair> pairs;
  several<good_relayed> relayed;

  good_clients(const public_host& host, crowd& all) {
    for (unsigned i = 0; i < 4; ++i) {
      pairs.push_back(std::make_unique<good_pair>(host, i));
      all.start([one = pairs.back().get()] { one->round(); });
    }
    std::vector ways{transport_to_turn::udp, transport_to_turn::tcp};
    if (host.has_tls()) {
      ways.insert(ways.end(), {transport_to_turn::tls, transport_to_turn::secured_stun});
    }
    for (unsigned i = 0; i < ways.size(); ++i) {
      relayed.push_back(std::make_unique<good_relayed>(host, i, ways[i]));
      all.start([one = relayed.back().get()] { one->life(); });
    }
  }
  [[nodiscard]] bool went_round() const {
    return std::ranges::all_of(pairs, [](const auto& one) { return one->returns > 0; }) &&
           std::ranges::all_of(relayed, [](const auto& one) { return one->lives > 0; });
  }
  void show_latencies() const {
    stopwatch spoken, sent;
    for (const auto& one : pairs) spoken.add(one->round_trips);
    for (const auto& one : relayed) sent.add(one->round_trips);
    spoken.show("round trips between good clients over WebSocket");
    sent.show("through the relay");
  }
};

struct hostile_clients {
  several<hostile_speaker> speakers;
  several<hostile_relayed> relayed;
  several<hostile_guesser> guessers;

  hostile_clients(const public_host& host, crowd& all, const endpoint& victim) {
    for (unsigned i = 0; i < 3; ++i) {
      const auto number = std::to_string(i + 1);
      add(all, speakers, std::make_unique<hostile_speaker>(host, "127.0.1." + number, i));
      if (i == 2) continue;
      add(all, relayed, std::make_unique<hostile_relayed>(host, "127.0.2." + number, i, victim));
    }
    add(all, guessers, std::make_unique<hostile_guesser>(host, "127.0.4.1", 1));
  }
  [[nodiscard]] bool went_round() const {
    const auto all_of = [](const auto& some) {
      return std::ranges::all_of(some, [](const auto& one) { return one->went_round(); });
    };
    return all_of(speakers) && all_of(relayed) && all_of(guessers);
  }
  [[nodiscard]] std::size_t deeds() const {
    std::size_t out = 0;
    for (const auto& one : speakers) out += one->deeds();
    for (const auto& one : relayed) out += one->deeds();
    for (const auto& one : guessers) out += one->deeds();
    return out;
  }
  [[nodiscard]] std::size_t allocations_left() const {
    std::size_t out = 0;
    for (const auto& one : relayed) out += one->left_behind();
    return out;
  }

 private:
  template <class Client>
  static void add(crowd& all, several<Client>& to, std::unique_ptr<Client> one) {
    all.start([one = one.get()] { one->next_deed(); });
    to.push_back(std::move(one));
  }
};

// What the second half may leave behind: what is remembered of addresses, the larger tables and
// spare buffers of a busier moment. From 5,000 deeds on, a hundred octets for each would be more.
constexpr double most_growth = 512 * 1024;

void watch(const crowd& all, const public_host& host, soak_clock::time_point until) {
  while (!all.over() && soak_clock::now() < until) {
    CHECK(http_get(host.server.admin, "/healthz").starts_with("HTTP/1.1 200 "));
    raw_client(host.server.admin, raw_client::start::tcp_only).quiet_for(200);
  }
}

// However slow the machine is.
void wait_for_every_deed(const crowd& all, const good_clients& good,
                         const hostile_clients& hostile) {
  wait_until(
      "everybody has done each of his deeds",
      [&] {
        std::this_thread::yield();
        return all.over() || (good.went_round() && hostile.went_round());
      },
      std::chrono::seconds(120));
}

// Everything that was done is seen in what the server counts.
void check_counted(const public_host& host) {
  for (const auto* figure : {"signaling_registrations_denied_total", "signaling_resumptions_total",
                             R"(signaling_closed_total{reason="violation"})",
                             R"(signaling_errors_total{code="id-taken"})",
                             R"(signaling_errors_total{code="rate-limited"})",
                             R"(signaling_relay_refused_total{reason="forbidden"})",
                             R"(signaling_relay_refused_total{reason="unauthenticated"})",
                             R"(signaling_relay_dropped_total{reason="no_permission"})",
                             R"(signaling_relay_allocations_total{event="released"})"}) {
    CHECK_MESSAGE(metric(host.server.admin, figure) > 0, std::string(figure));
  }
}

// For so long, and until everybody has done each of his deeds; then all have gone.
void run_wave(public_host& host, const udp_end& victim, soak_clock::duration length) {
  std::optional<good_clients> good;
  std::optional<hostile_clients> hostile;
  crowd all;  // goes first: its threads use the others
  const auto began = soak_clock::now();
  good.emplace(host, all);
  hostile.emplace(host, all, victim.local());
  all.start([&] {
    host.change_secrets();
    raw_client(host.server.admin, raw_client::start::tcp_only).quiet_for(300);
  });
  watch(all, host, began + length);
  wait_for_every_deed(all, *good, *hostile);
  all.finish();
  const std::chrono::duration<double> took = soak_clock::now() - began;
  if (!host.server.alive()) FAIL("the server has ended: " << host.server.last_words());
  REQUIRE(all.failed() == 0);
  good->show_latencies();
  MESSAGE(hostile->deeds() << " hostile deeds in " << took.count() << " s");
  for (const auto& one : hostile->guessers) {
    CHECK(static_cast<double>(one->guesses()) <= 11 + took.count() / 10);
  }
  good.reset();
  const auto left = hostile->allocations_left();
  // Those over TCP end with their connections, which the server hears of in its own time.
  wait_until("the allocations that were left behind are all that is left", [&] {
    return metric(host.server.admin, "signaling_relay_allocations") == static_cast<double>(left);
  });
  for (const auto& one : hostile->relayed) one->release_all();
  hostile.reset();
  host.taken.check_all_left([&] { host.visit(); });
}

void run_soak(bool tls) {
  public_host host(tls);
  const udp_end victim(public_host::victim);
  run_wave(host, victim, soak_length() / 2);
  host.taken.look_half_way();
  run_wave(host, victim, soak_length() / 2);
  host.taken.check_growth(most_growth);
  MESSAGE(host.changes() << " SIGHUPs");
  CHECK_FALSE(victim.readable_within(0));
  check_counted(host);
  host.end();
}

TEST_CASE("good and hostile clients together, in the clear") {
  run_soak(false);
}

TEST_CASE("good and hostile clients together, over TLS") {
  run_soak(true);
}

}  // namespace
}  // namespace nat::test
