#pragma once

// Those who talk across two servers of a cluster while its Redis comes and goes.

#include <optional>
#include <string>

#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/soak/crowd.hpp"

namespace nat::test {

inline std::string offer_to(const std::string& target, std::uint64_t number) {
  return R"({"type":"offer","target":")" + target + R"(","sdp":")" + std::to_string(number) + "\"}";
}
inline bool is_error(const std::string& text) {
  return text.starts_with(R"({"type":"error")");
}

// Redis, or a server, may stand still for longer than a claim waits; the name may be given then,
// and let go of. The answer.
inline std::string join_patiently(raw_client& c, const std::string& name) {
  std::string answer;
  wait_until(name + " is given", [&] {
    c.say(R"({"type":"register","peer_id":")" + name + "\"}");
    answer = c.hear();
    return answer.starts_with(R"({"type":"registered")");
  });
  return answer;
}

// One who says numbered offers and one who hears them.
struct one_way {
  raw_client from, to;
  std::string from_name, to_name;

  one_way(const endpoint& here, const endpoint& there, const std::string& name)
      : from(here), to(there), from_name(name + "-from"), to_name(name + "-to") {
    join_patiently(from, from_name);
    join_patiently(to, to_name);
  }
  void say(std::uint64_t number) const { from.say(offer_to(to_name, number)); }
  std::uint64_t hear() {
    const auto text = to.hear();
    REQUIRE_MESSAGE(field(text, "from") == from_name, text);
    return std::stoull(field(text, "sdp"));
  }
  void hear_refusal() {
    const auto text = from.hear();
    REQUIRE_MESSAGE((is_error(text) && field(text, "target") == to_name), text);
  }
};

// On one server: whatever becomes of the cluster, each offer comes, the next one said once it has.
class neighbours {
 public:
  neighbours(const endpoint& server, const std::string& name) : ends_(server, server, name) {}
  void round() {
    ++number_;
    round_trips.time([&] {
      ends_.say(number_);
      REQUIRE(ends_.hear() == number_);
    });
    ends_.from.quiet_for(2);  // no refusal either
    REQUIRE_FALSE(ends_.from.hears_within(0));
  }
  stopwatch round_trips;

 private:
  one_way ends_;
  std::uint64_t number_ = 0;
};

// Across servers, as fast as answers of either kind come. Each offer is heard once at most, in
// order. Whose refusal one is can't be told here (an offer may be heard, and its acknowledgement be
// lost), so they are counted.
class fast_crossing {
 public:
  fast_crossing(const endpoint& here, const endpoint& there, const std::string& name)
      : ends_(here, there, name) {}
  void round() {
    const auto before = heard_ + refused_;
    ends_.say(++said_);
    until([&] { return heard_ + refused_ > before; });
    if (ends_.from.hears_within(1)) listen();
  }
  // Once the cluster is whole again: each offer has had its answer, and the next one is heard.
  void settle() {
    until([&] { return heard_ + refused_ >= said_; });
    const auto refused = refused_;
    ends_.say(++said_);
    until([&] { return last_ == said_ || refused_ > refused; });
    CHECK(refused_ <= said_);
  }
  [[nodiscard]] std::uint64_t heard() const { return heard_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  template <class Holds>
  void until(Holds holds) {
    const auto deadline = soak_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      REQUIRE_MESSAGE(soak_clock::now() < deadline, "neither heard nor refused: " << said_);
      listen();
    }
  }
  void listen() {
    if (ends_.to.hears_within(1)) {
      const auto number = ends_.hear();
      REQUIRE(number > last_);
      REQUIRE(number <= said_);
      last_ = number;
      ++heard_;
    }
    if (ends_.from.hears_within(0)) {
      ends_.hear_refusal();
      ++refused_;
    }
  }
  one_way ends_;
  std::uint64_t said_ = 0, heard_ = 0, refused_ = 0, last_ = 0;
};

// Across servers, and so slowly that every answer is known for whose it is: the next offer is said
// when the last one's time for an acknowledgement is long over.
class slow_crossing {
 public:
  static constexpr std::chrono::seconds acknowledged_by_then{15}, lost_after{40};

  // `first`: how long from now until its first offer.
  slow_crossing(const endpoint& here, const endpoint& there, const std::string& name,
                std::chrono::milliseconds first)
      : ends_(here, there, name), at_(soak_clock::now() + first - acknowledged_by_then) {}
  void step() {
    if (ends_.to.hears_within(0)) {
      REQUIRE(ends_.hear() == said_);
      REQUIRE_FALSE(std::exchange(heard_, true));
    }
    if (ends_.from.hears_within(0)) {
      ends_.hear_refusal();
      REQUIRE_FALSE(std::exchange(refused_, true));
    }
    const auto now = soak_clock::now();
    if (!answered()) {
      REQUIRE_MESSAGE(now < at_ + lost_after, "neither heard nor refused: " << said_);
    } else if (now > at_ + acknowledged_by_then) {
      count();
      at_ = now;
      heard_ = refused_ = false;
      ends_.say(++said_);
    }
  }
  // What became of the last one, as far as it is known.
  void count() {
    if (said_ > 0) ++(heard_ ? refused_ ? heard_and_refused : heard_only : refused_only);
  }
  void pause() const { ends_.from.quiet_for(10); }
  [[nodiscard]] bool answered() const { return heard_ || refused_; }
  std::size_t heard_only = 0, refused_only = 0, heard_and_refused = 0;

 private:
  one_way ends_;
  std::uint64_t said_ = 0;
  bool heard_ = true, refused_ = false;  // of the last one
  soak_clock::time_point at_;
};

// Takes its name from server to server; the connection that it leaves is ended as superseded, or
// was cut off by itself.
class wanderer {
 public:
  wanderer(const endpoint& one, const endpoint& two, std::string name)
      : servers_{one, two}, name_(std::move(name)), at_(one) {
    secret_ = field(join_patiently(*at_, name_), "resume");
  }
  void move() {
    ++moves;
    const bool leaves_first = moves % 2 == 0;
    if (leaves_first) at_->abort();
    auto next = come_back(servers_[moves % 2]);
    if (!leaves_first) CHECK(at_->read_close() == 4001);
    at_.emplace(std::move(next));
    at_->say(offer_to(name_, moves));
    REQUIRE(field(at_->hear(), "sdp") == std::to_string(moves));
    at_->quiet_for(50);
  }
  std::size_t moves = 0, refused = 0;

 private:
  raw_client come_back(const endpoint& server) {
    const auto deadline = soak_clock::now() + std::chrono::seconds(30);
    for (;;) {
      raw_client next(server);
      next.say(R"({"type":"register","peer_id":")" + name_ + R"(","resume":")" + secret_ + "\"}");
      const auto answer = next.hear();
      if (!is_error(answer)) {
        secret_ = field(answer, "resume");
        return next;
      }
      REQUIRE_MESSAGE(field(answer, "code") == "cluster-unavailable", answer);
      REQUIRE(soak_clock::now() < deadline);
      ++refused;
      next.quiet_for(50);
    }
  }
  endpoint servers_[2];
  std::string name_, secret_;
  std::optional<raw_client> at_;
};

}  // namespace nat::test
