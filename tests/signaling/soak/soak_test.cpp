// Good and hostile clients together, for SOAK_SECONDS (20) in the clear and over TLS each: no
// report of a sanitizer, no growth, nothing left behind, and the good ones notice nothing. For
// minutes of it under the address and the thread sanitizer: scripts/soak.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/server_process.hpp"
#include "tests/signaling/soak/hostile.hpp"

namespace nat::test {
namespace {

using clock_type = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr int pairs = 4, strangers = 3;

// OpenSSL writes to sockets without MSG_NOSIGNAL.
const auto no_sigpipe = ::signal(SIGPIPE, SIG_IGN);

seconds duration_of_soak() {
  const char* given = std::getenv("SOAK_SECONDS");
  return seconds(given ? std::atoi(given) : 20);
}

// Two who talk to each other, come and go, and measure how long their words take.
class good_pair {
 public:
  good_pair(const endpoint& server, bool tls, int number)
      : server_(server),
        tls_(tls),
        a_name_("good-" + std::to_string(number) + "-a"),
        b_name_("good-" + std::to_string(number) + "-b"),
        a_(arrive()),
        b_(arrive()) {
    a_secret_ = field(a_->join(a_name_), "resume");
    b_->join(b_name_);
  }

  void round() {
    const auto start = clock_type::now();
    const auto word = std::to_string(rounds_++) + std::string(1000, 'x');
    say(*a_, b_name_, word);
    hear(*b_, a_name_, word);
    say(*b_, a_name_, word);
    hear(*a_, b_name_, word);
    milliseconds_.push_back(
        std::chrono::duration<double, std::milli>(clock_type::now() - start).count());
    if (rounds_ % 100 == 0) come_back();
    a_->quiet_for(5);
  }
  [[nodiscard]] const std::vector<double>& milliseconds() const { return milliseconds_; }

 private:
  raw_client arrive() const {
    if (tls_) return raw_client(server_, tls_settings{}, raw_client::start::upgraded, "127.0.0.9");
    return raw_client(server_, "127.0.0.9");
  }
  static void say(raw_client& from, const std::string& to, const std::string& word) {
    from.say(R"({"type":"offer","target":")" + to + R"(","sdp":")" + word + "\"}");
  }
  // Strangers may say something in between, and nobody else under this name.
  static void hear(raw_client& at, const std::string& from, const std::string& word) {
    for (;;) {
      const auto text = at.hear();
      if (field(text, "from") != from) continue;
      REQUIRE(field(text, "sdp") == word);
      return;
    }
  }
  // Cut off without a word, and back under the same name.
  void come_back() {
    a_->abort();
    a_.emplace(arrive());
    a_secret_ = field(a_->join(a_name_, ",\"resume\":\"" + a_secret_ + '"'), "resume");
  }

  endpoint server_;
  bool tls_;
  std::string a_name_, b_name_, a_secret_;
  std::optional<raw_client> a_, b_;
  std::vector<double> milliseconds_;
  std::size_t rounds_ = 0;
};

struct soak {
  std::atomic<bool> over = false;
  std::atomic<int> failed = 0;
  std::atomic<std::size_t> deeds = 0;
  std::vector<std::thread> threads{};

  soak() = default;
  ~soak() { finish(); }
  soak(const soak&) = delete;
  soak& operator=(const soak&) = delete;

  // Calls `deed` until it is over; what a REQUIRE throws ends the soak.
  template <class Deed>
  void start(Deed deed) {
    threads.emplace_back([this, deed = std::move(deed)]() mutable {
      try {
        while (!over) deed();
      } catch (...) {
        ++failed;
        over = true;
      }
    });
  }
  void wait_until(clock_type::time_point when, const endpoint& admin) const {
    while (!over && clock_type::now() < when) {
      CHECK(http_get(admin, "/healthz").starts_with("HTTP/1.1 200 "));
      raw_client(admin, raw_client::start::tcp_only).quiet_for(200);
    }
  }
  void finish() {
    over = true;
    for (auto& t : threads) t.join();
    threads.clear();
  }
};

// That none took longer than 10 s is what raw_client sees to.
void show_latencies(const std::vector<std::unique_ptr<good_pair>>& good) {
  std::vector<double> all;
  for (const auto& one : good) {
    all.insert(all.end(), one->milliseconds().begin(), one->milliseconds().end());
  }
  REQUIRE_FALSE(all.empty());
  std::ranges::sort(all);
  MESSAGE(all.size() << " round trips of good clients: median " << all[all.size() / 2]
                     << " ms, p99 " << all[all.size() * 99 / 100] << " ms, worst " << all.back()
                     << " ms");
}

// Whoever is still there has been forgotten within the time-outs; held names go as others come.
void wait_until_empty(const server_process& server, const std::vector<std::string>& options) {
  const bool tls = std::ranges::find(options, "--tls-cert") != options.end();
  while (metric(server.admin, "signaling_connections") > 0) {
  }
  const auto names = [&] {
    return metric(server.admin, "signaling_names") + metric(server.admin, "signaling_names_held");
  };
  while (names() > 0) {
    auto visitor =
        tls ? raw_client(server.websocket, tls_settings{}) : raw_client(server.websocket);
    visitor.join("visitor");
    visitor.send_raw(close_frame(1000));
    visitor.read_close();
  }
}

void run_soak(std::vector<std::string> options) {
  const bool tls = !options.empty();
  // Times that a busy machine does not come near; whoever lingers is still ended by them.
  for (const char* word : {"--threads", "2", "--resume-window", "10", "--messages-per-second",
                           "1000", "--connections-per-second-per-address", "10000"}) {
    options.emplace_back(word);
  }
  server_process server(options);
  std::vector<std::unique_ptr<good_pair>> good;
  std::vector<std::unique_ptr<hostile_client>> hostile;
  soak s;  // goes first: its threads use the others
  for (int i = 0; i < pairs; ++i) {
    good.push_back(std::make_unique<good_pair>(server.websocket, tls, i));
    s.start([one = good.back().get()] { one->round(); });
  }
  for (int i = 0; i < strangers; ++i) {
    hostile.push_back(std::make_unique<hostile_client>(server.websocket, server.stun, tls,
                                                       "127.0.1." + std::to_string(i + 1),
                                                       static_cast<unsigned>(i)));
    s.start([&s, one = hostile.back().get()] {
      one->next_deed();
      ++s.deeds;
    });
  }
  const auto began = clock_type::now();
  const auto length = duration_of_soak();
  s.wait_until(began + length / 2, server.admin);  // every kind of deed has been done often
  const auto warm = server.alive() ? server.resident_bytes() : 0;
  s.wait_until(began + length, server.admin);
  s.finish();
  if (!server.alive()) FAIL("the server has ended: " << server.last_words());
  const auto at_end = server.resident_bytes();
  CHECK(s.failed.load() == 0);
  show_latencies(good);
  MESSAGE(s.deeds.load() << " hostile deeds; resident " << (warm >> 20) << " MiB after warming up, "
                         << (at_end >> 20) << " MiB at the end");
  CHECK(at_end < warm + warm / 8 + (8U << 20));
  good.clear();
  hostile.clear();
  wait_until_empty(server, options);
  server.signal(SIGTERM);
  CHECK(server.wait() == 0);  // a sanitizer's report makes it another status
  const auto said = server.last_words();
  CHECK_MESSAGE(!said.contains("Sanitizer"), said);
}

TEST_CASE("good and hostile clients together, in the clear") {
  ::setenv("TSAN_OPTIONS", "halt_on_error=1", 0);
  run_soak({});
}

TEST_CASE("good and hostile clients together, over TLS") {
  ::setenv("TSAN_OPTIONS", "halt_on_error=1", 0);
  const test_certificate certificate;
  run_soak({"--tls-cert", certificate.file(), "--tls-key", certificate.key_file()});
}

}  // namespace
}  // namespace nat::test
