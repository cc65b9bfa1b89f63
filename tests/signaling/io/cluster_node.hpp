#pragma once

// A real server of a cluster, and peers that talk over it.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/attempts.hpp"
#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/redis_process.hpp"
#include "tests/signaling/io/server_process.hpp"

namespace nat::test {

inline std::vector<std::string> with_usual(std::vector<std::string> options) {
  for (const char* more : {"--no-stun", "--threads", "2", "--messages-per-second", "0"}) {
    options.emplace_back(more);
  }
  return options;
}

struct node : server_process {
  explicit node(const redis_process& redis) : node(redis.options()) {}
  explicit node(std::vector<std::string> options)
      : server_process(with_usual(std::move(options))) {}

  [[nodiscard]] std::string look(std::string_view path) const { return http_get(admin, path); }
  void wait_until_ready() const {
    wait_until("ready", [&] { return look("/readyz").starts_with("HTTP/1.1 200 "); });
    known_trouble_ = trouble();
  }
  // It has missed an answer of another server, or Redis, since it was last waited for.
  [[nodiscard]] bool troubled() const { return trouble() > known_trouble_; }
  void wait_until_away() const {
    wait_until("not ready", [&] {
      const auto ready = look("/readyz");
      return ready.starts_with("HTTP/1.1 503 ") && ready.contains("\ncluster: failed\n");
    });
    CHECK(look("/healthz").starts_with("HTTP/1.1 200 "));
  }

 private:
  [[nodiscard]] double trouble() const {
    return metric(admin, "signaling_cluster_acknowledgements_missing_total") +
           metric(admin, "signaling_cluster_disconnects_total");
  }
  mutable double known_trouble_ = 0;
};

inline std::string offer(std::string_view target, std::string_view sdp = "v") {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

inline std::string code_of_offer(raw_client& from, std::string_view target) {
  from.say(offer(target));
  return field(from.hear(), "code");
}

inline std::string ask_for(raw_client& c, std::string_view name, std::string_view more = {}) {
  c.say(R"({"type":"register","peer_id":")" + std::string(name) + '"' + std::string(more) + '}');
  return c.hear();
}

inline std::string code_of_registering(const node& at, std::string_view name) {
  raw_client c(at.websocket);
  return field(ask_for(c, name), "code");
}

// Redis has 1.5 s for each answer, and so has each server: this, where no test has taken Redis
// away, is that one of them stood still. For use in an attempt().
inline void require_cluster(std::string_view code) {
  if (code == "cluster-unavailable") throw spoiled{"Redis or a server stood still for 1.5 s"};
}

inline void check_code(const std::string& code, std::string_view wanted) {
  require_cluster(code);
  CHECK(code == wanted);
}

inline std::string join(raw_client& c, std::string_view name, std::string_view more = {}) {
  auto answer = ask_for(c, name, more);
  require_cluster(field(answer, "code"));
  REQUIRE_MESSAGE(answer.starts_with(R"({"type":"registered")"), answer);
  return answer;
}

template <class Hear>
void converse(raw_client& a, std::string_view a_name, raw_client& b, std::string_view b_name,
              Hear hear) {
  a.say(offer(b_name, "there"));
  const auto there = hear(b, a);
  CHECK_MESSAGE(field(there, "from") == a_name, there);
  CHECK(field(there, "sdp") == "there");
  b.say(R"({"type":"answer","target":")" + std::string(a_name) + R"(","sdp":"back"})");
  const auto back = hear(a, b);
  CHECK_MESSAGE(field(back, "from") == b_name, back);
  CHECK(field(back, "sdp") == "back");
}

// Of one server.
inline void converse(raw_client& a, std::string_view a_name, raw_client& b,
                     std::string_view b_name) {
  converse(a, a_name, b, b_name, [](raw_client& to, raw_client&) { return to.hear(); });
}

// Two servers, and what is said on one and heard on the other. For use in an attempt().
struct node_pair {
  node one, two;

  explicit node_pair(const redis_process& redis) : node_pair(redis.options()) {}
  explicit node_pair(const std::vector<std::string>& options) : one(options), two(options) {
    wait_until_ready();
  }
  void wait_until_ready() const {
    one.wait_until_ready();
    two.wait_until_ready();
  }
  [[nodiscard]] bool any(const std::string& counted) const {
    return metric(one.admin, counted) > 0 || metric(two.admin, counted) > 0;
  }
  // What `to` hears, or `from` in its place.
  std::string hear(raw_client& to, raw_client& from) const {
    wait_until("heard or refused", [&] { return to.hears_within(10) || from.hears_within(0); });
    auto text = (to.hears_within(0) ? to : from).hear();
    const auto code = field(text, "code");
    require_cluster(code);
    // An offer that was heard, too, where word of that did not come in time.
    if (code == "peer-not-found" && (one.troubled() || two.troubled())) {
      throw spoiled{"an acknowledgement took 1.5 s, or got lost with Redis"};
    }
    return text;
  }
  void converse(raw_client& a, std::string_view a_name, raw_client& b,
                std::string_view b_name) const {
    test::converse(a, a_name, b, b_name,
                   [&](raw_client& to, raw_client& from) { return hear(to, from); });
  }
};

}  // namespace nat::test
