// 9 limits, bounded by ours of 64 KiB, and 10 automatic fragmentation. What is larger is sent as
// far as the server can have refused it: the rest would be thrown away unread.

#include "tests/signaling/autobahn/cases.hpp"

namespace nat::test::autobahn {

namespace {

constexpr std::size_t limit = 65'536;
const std::vector<std::string> refused{"error too-large", "close 1009"};
constexpr unsigned opcodes[] = {1, 2};

std::string number(std::string_view group, unsigned opcode, int n) {
  return "9." + std::to_string((group[0] - '0') + (opcode == 1 ? 0 : 1)) + '.' + std::to_string(n);
}

// One frame of 256 KiB to 16 MiB.
void add_large_frames(table& out) {
  for (const auto opcode : opcodes) {
    int n = 2;
    for (const std::size_t kib : {256U, 1024U, 4096U, 8192U, 16'384U}) {
      auto whole = frame(std::string(kib << 10, '*'), {.opcode = opcode});
      whole.resize(14 + limit);
      out.push_back({number("1", opcode, n++), {std::move(whole)}, refused});
    }
  }
  const auto sdp = sdp_for(limit);
  out.push_back({"9.1.1", {text(sdp)}, {}, {sdp}});
  out.push_back(
      {"9.2.1", {frame(std::string(limit, '*'), {.opcode = 2})}, {"error bad-message"}, {}});
}

// 4 MiB in frames of 64 octets to 4 MiB.
void add_many_fragments(table& out) {
  for (const auto opcode : opcodes) {
    int n = 1;
    for (std::size_t size = 64; size <= 4U << 20; size *= 4) {
      std::vector<std::string> parts;
      if (size > limit) {
        parts.push_back(frame(std::string(size, '*'), {.opcode = opcode, .fin = false}));
        parts.back().resize(14 + limit);
      }
      for (std::size_t sent = 0; size <= limit && sent <= limit; sent += size) {
        parts.push_back(
            frame(std::string(size, '*'), {.opcode = sent == 0 ? opcode : 0U, .fin = false}));
      }
      out.push_back({number("3", opcode, n++), std::move(parts), refused});
    }
  }
}

// 1 MiB in one frame, written in pieces.
void add_slow_writers(table& out) {
  for (const auto opcode : opcodes) {
    int n = 1;
    for (std::size_t step = 64; step <= 2048; step *= 2) {
      auto whole = frame(std::string(1U << 20, '*'), {.opcode = opcode});
      whole.resize(14 + limit);
      out.push_back({number("5", opcode, n++), {std::move(whole)}, refused, {}, step});
    }
  }
}

}  // namespace

table limit_cases() {
  table out;
  add_large_frames(out);
  add_many_fragments(out);
  add_slow_writers(out);
  const auto sdp = sdp_for(limit);
  out.push_back({"10.1.1", fragments(offer_of(sdp), 1300), {}, {sdp}});
  return out;
}

}  // namespace nat::test::autobahn
