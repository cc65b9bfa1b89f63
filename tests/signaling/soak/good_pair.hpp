#pragma once

// Two who talk to each other over WebSocket, come and go, and measure how long their words take.

#include <optional>
#include <string>

#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/soak/crowd.hpp"
#include "tests/signaling/soak/public_host.hpp"

namespace nat::test {

class good_pair {
 public:
  // The numbers take turns at the kinds of token, and every other one comes through the proxy.
  good_pair(const public_host& host, unsigned number)
      : host_(host),
        number_(number),
        a_name_("good-" + std::to_string(number) + "-a"),
        b_name_("good-" + std::to_string(number) + "-b"),
        a_(arrive()),
        b_(arrive()) {
    a_secret_ = field(a_->join(a_name_, token()), "resume");
    b_->join(b_name_, token());
  }

  void round() {
    const auto word = std::to_string(rounds_++) + std::string(1000, 'x');
    round_trips.time([&] {
      say(*a_, b_name_, word);
      hear(*b_, a_name_, word);
      say(*b_, a_name_, word);
      hear(*a_, b_name_, word);
    });
    if (rounds_ % 20 == 0) come_back();
    a_->quiet_for(5);
  }
  stopwatch round_trips;
  std::atomic<std::size_t> returns = 0;

 private:
  [[nodiscard]] raw_client arrive() const {
    if (number_ % 2 == 0) return host_.arrive({.from = "127.0.0.9"});
    return host_.arrive(
        {.from = public_host::proxy, .forwarded_for = "203.0.113." + std::to_string(number_)});
  }
  [[nodiscard]] std::string token() const {
    return public_host::token_member(host_.good_token(number_));
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
    ++returns;
    a_->abort();
    a_.emplace(arrive());
    a_secret_ = field(a_->join(a_name_, token() + ",\"resume\":\"" + a_secret_ + '"'), "resume");
  }

  const public_host& host_;
  unsigned number_;
  std::string a_name_, b_name_, a_secret_;
  std::optional<raw_client> a_, b_;
  std::size_t rounds_ = 0;
};

}  // namespace nat::test
