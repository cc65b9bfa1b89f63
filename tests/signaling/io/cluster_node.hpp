#pragma once

// A real server of a cluster, and peers that talk over it.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  }
  void wait_until_away() const {
    wait_until("not ready", [&] { return look("/readyz").starts_with("HTTP/1.1 503 "); });
    CHECK(look("/readyz").contains("\ncluster: failed\n"));
    CHECK(look("/healthz").starts_with("HTTP/1.1 200 "));
  }
};

inline std::string offer(std::string_view target, std::string_view sdp = "v") {
  return R"({"type":"offer","target":")" + std::string(target) + R"(","sdp":")" + std::string(sdp) +
         "\"}";
}

inline std::string code_of_offer(raw_client& from, std::string_view target) {
  from.say(offer(target));
  return field(from.hear(), "code");
}

inline std::string code_of_registering(const node& at, std::string_view name) {
  raw_client c(at.websocket);
  c.say(R"({"type":"register","peer_id":")" + std::string(name) + "\"}");
  return field(c.hear(), "code");
}

inline void converse(raw_client& a, std::string_view a_name, raw_client& b,
                     std::string_view b_name) {
  a.say(offer(b_name, "there"));
  const auto there = b.hear();
  CHECK(field(there, "from") == a_name);
  CHECK(field(there, "sdp") == "there");
  b.say(R"({"type":"answer","target":")" + std::string(a_name) + R"(","sdp":"back"})");
  const auto back = a.hear();
  CHECK(field(back, "from") == b_name);
  CHECK(field(back, "sdp") == "back");
}

}  // namespace nat::test
