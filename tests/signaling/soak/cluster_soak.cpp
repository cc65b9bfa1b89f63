// Two servers of a cluster, whose Redis is killed and comes back empty, again and again: peers of
// one server notice nothing; across servers each offer is heard exactly once or refused.

#include <signal.h>

#include <memory>
#include <random>

#include "tests/check.hpp"
#include "tests/signaling/io/redis_process.hpp"
#include "tests/signaling/io/server_process.hpp"
#include "tests/signaling/soak/cluster_clients.hpp"
#include "tests/signaling/soak/crowd.hpp"
#include "tests/signaling/soak/footprint.hpp"

namespace nat::test {
namespace {

bool is_ready(const server_process& server) {
  return http_get(server.admin, "/readyz").starts_with("HTTP/1.1 200 ");
}
void wait_until_ready(const server_process& server) {
  wait_until("ready", [&] { return is_ready(server); }, std::chrono::seconds(30));
}

class member_server {
 public:
  explicit member_server(const redis_process& redis) : server(options(redis)) {
    wait_until_ready(server);
    taken.emplace(server);
  }
  void visit() const {
    raw_client visitor(server.websocket);
    join_patiently(visitor, "visitor-" + std::to_string(server.websocket.port));
    visitor.send_raw(close_frame(1000));
    visitor.read_close();
  }
  void end() {
    server.signal(SIGTERM);
    CHECK(server.wait() == 0);
    const auto said = server.last_words();
    CHECK_MESSAGE(!said.contains("Sanitizer"), said);
  }
  server_process server;
  std::optional<footprint> taken;

 private:
  static std::vector<std::string> options(const redis_process& redis) {
    auto out = redis.options();
    // Those who only listen here answer no pings.
    for (const char* word : {"--threads", "2", "--no-stun", "--messages-per-second", "1000",
                             "--connections-per-second-per-address", "10000", "--resume-window",
                             "10", "--idle-timeout", "0"}) {
      out.emplace_back(word);
    }
    return out;
  }
};

class inhabitants {
 public:
  inhabitants(const endpoint& one, const endpoint& two) {
    for (int i = 0; i < 2; ++i) {
      const auto number = std::to_string(i);
      for (const auto& server : {one, two}) {
        neighbours_.push_back(
            std::make_unique<neighbours>(server, "n" + number + '-' + std::to_string(server.port)));
      }
      fast_.push_back(std::make_unique<fast_crossing>(i ? two : one, i ? one : two, "f" + number));
      wanderers_.push_back(std::make_unique<wanderer>(one, two, "w" + number));
    }
    for (int i = 0; i < 80; ++i) {
      slow_.push_back(std::make_unique<slow_crossing>(i % 2 ? two : one, i % 2 ? one : two,
                                                      "s" + std::to_string(i),
                                                      std::chrono::milliseconds(60 * i)));
    }
  }
  void start(crowd& all) {
    for (const auto& n : neighbours_) all.start([n = n.get()] { n->round(); });
    for (const auto& f : fast_) all.start([f = f.get()] { f->round(); });
    for (const auto& w : wanderers_) all.start([w = w.get()] { w->move(); });
    all.start([this] {
      for (const auto& s : slow_) s->step();
      slow_.front()->pause();
    });
  }
  // Redis is there, and all threads have ended.
  void settle() {
    for (const auto& f : fast_) f->settle();
    wait_until(
        "every slow offer has had its answer",
        [&] {
          for (const auto& s : slow_) s->step();
          return std::ranges::all_of(slow_, [](const auto& s) { return s->answered(); });
        },
        std::chrono::seconds(60));
    for (const auto& s : slow_) s->count();
  }
  void show() {
    stopwatch near;
    for (const auto& n : neighbours_) near.add(n->round_trips);
    near.show("offers heard on the same server");
    std::uint64_t heard = 0, refused = 0, only_heard = 0, only_refused = 0, both = 0, moves = 0;
    for (const auto& f : fast_) heard += f->heard(), refused += f->refused();
    for (const auto& s : slow_) {
      only_heard += s->heard_only, only_refused += s->refused_only, both += s->heard_and_refused;
    }
    for (const auto& w : wanderers_) moves += w->moves;
    MESSAGE("across servers, fast: " << heard << " heard, " << refused << " refused; slow: "
                                     << only_heard << " heard, " << only_refused << " refused, "
                                     << both << " heard and refused; " << moves
                                     << " moves from server to server");
    CHECK(heard > 0);
    CHECK(only_heard > 0);
    CHECK(refused + only_refused > 0);
    CHECK(moves > 0);
  }

 private:
  std::vector<std::unique_ptr<neighbours>> neighbours_;
  std::vector<std::unique_ptr<fast_crossing>> fast_;
  std::vector<std::unique_ptr<wanderer>> wanderers_;
  std::vector<std::unique_ptr<slow_crossing>> slow_;
};

// Green and, with Redis, ready; for so long.
void watch(const crowd& all, const member_server& one, const member_server& two,
           std::chrono::milliseconds length) {
  const auto until = soak_clock::now() + length;
  while (!all.over() && soak_clock::now() < until) {
    for (const auto* member : {&one, &two}) {
      CHECK(http_get(member->server.admin, "/healthz").starts_with("HTTP/1.1 200 "));
    }
    raw_client(one.server.admin, raw_client::start::tcp_only).quiet_for(50);
  }
}

// Everybody is still there, with what waits for him.
constexpr double most_growth = 4 << 20;

TEST_CASE("two servers, while their Redis comes and goes") {
  redis_process redis;  // killed and started by this thread, with which it would end
  member_server one(redis), two(redis);
  std::optional<inhabitants> living(std::in_place, one.server.websocket, two.server.websocket);
  {
    crowd all;
    living->start(all);
    const auto began = soak_clock::now();
    const auto length = soak_length();
    int killed = 0;
    std::mt19937 chance(1);
    while (!all.over() && (killed < 2 || soak_clock::now() < began + length)) {
      watch(all, one, two, std::chrono::milliseconds(500 + chance() % 2'000));
      if (2 * (soak_clock::now() - began) < length || killed == 0) {
        one.taken->look_half_way();
        two.taken->look_half_way();
      }
      redis.kill();
      ++killed;
      watch(all, one, two, std::chrono::milliseconds(100 + chance() % 1'500));
      redis.start();
      wait_until_ready(one.server);
      wait_until_ready(two.server);
    }
    all.finish();
    CHECK(all.failed() == 0);
    MESSAGE("Redis was killed " << killed << " times");
  }
  living->settle();
  living->show();
  for (const auto* member : {&one, &two}) member->taken->check_growth(most_growth);
  living.reset();
  for (auto* member : {&one, &two}) {
    member->taken->check_all_left([&] { member->visit(); });
    member->end();
  }
}

}  // namespace
}  // namespace nat::test
