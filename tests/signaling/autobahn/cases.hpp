#pragma once

// The Autobahn suite's cases as a table (README.md): what a client sends, what it hears, what
// arrives at the client "bob".

#include <string>
#include <string_view>
#include <vector>

#include "tests/signaling/websocket/frames.hpp"

namespace nat::test::autobahn {

inline constexpr std::size_t all_at_once = 0, by_frame = SIZE_MAX;

struct test_case {
  std::string id;
  std::vector<std::string> frames;
  // A word and its argument each: "pong x", "error bad-message", "close 1002" (1005: no code).
  std::vector<std::string> heard = {};
  std::vector<std::string> delivered = {};  // the sdp of each offer
  std::size_t step = all_at_once;           // octets in a write
};
using table = std::vector<test_case>;

// An offer that carries `sdp` to bob.
[[nodiscard]] inline std::string offer_of(std::string_view sdp) {
  return R"({"type":"offer","target":"bob","sdp":")" + std::string(sdp) + "\"}";
}

// The sdp with which an offer has so many octets.
[[nodiscard]] inline std::string sdp_for(std::size_t message_size) {
  return std::string(message_size - offer_of("").size(), '*');
}

[[nodiscard]] inline std::string text(std::string_view sdp) {
  return frame(offer_of(sdp));
}

// A message in so many frames, as equal as can be.
[[nodiscard]] inline std::vector<std::string> fragments(std::string_view message, std::size_t size,
                                                        unsigned opcode = 1) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < message.size(); at += size) {
    out.push_back(frame(message.substr(at, size),
                        {.opcode = at == 0 ? opcode : 0U, .fin = at + size >= message.size()}));
  }
  return out;
}

[[nodiscard]] table framing_cases();   // 1 to 4
[[nodiscard]] table fragment_cases();  // 5
[[nodiscard]] table utf8_cases();      // 6
[[nodiscard]] table closing_cases();   // 7
[[nodiscard]] table limit_cases();     // 9 without 9.7 and 9.8, 10

}  // namespace nat::test::autobahn
