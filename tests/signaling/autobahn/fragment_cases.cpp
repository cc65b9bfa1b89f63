// 5 fragmentation.

#include "tests/signaling/autobahn/cases.hpp"

namespace nat::test::autobahn {

namespace {

const std::string refused = "close 1002", sdp = "fragment1fragment2";
constexpr client_frame begin{.fin = false}, more{.opcode = 0, .fin = false}, end{.opcode = 0};

std::string ping(std::string_view payload) {
  return frame(payload, {.opcode = 9});
}

// The offer's two halves.
std::string first() {
  return frame(offer_of(sdp).substr(0, 46), begin);
}
std::string second(client_frame how = end) {
  return frame(offer_of(sdp).substr(46), how);
}

constexpr std::size_t steps[] = {all_at_once, by_frame, 1};

void add_control_frames_in_parts(table& out) {
  for (const unsigned opcode : {9U, 10U}) {
    out.push_back({opcode == 9 ? "5.1" : "5.2",
                   {frame("fragment1", {.opcode = opcode, .fin = false}), frame("fragment2", end)},
                   {refused}});
  }
}

void add_nothing_to_continue(table& out) {
  int n = 9;
  for (const auto& how : {end, more}) {
    for (const auto step : steps) {
      out.push_back({"5." + std::to_string(n++),
                     {frame("non-continuation payload", how), text("Hello, world!")},
                     {refused},
                     {},
                     step});
    }
  }
  out.push_back(
      {"5.15", {first(), second(), frame("fragment3", more), text("fragment4")}, {refused}, {sdp}});
  n = 16;
  for (const auto& how : {more, end}) {
    const auto stray = frame("fragment1", how);
    out.push_back({"5." + std::to_string(n++),
                   {stray, first(), second(), stray, first(), second()},
                   {refused}});
  }
}

void add_pings_in_between(table& out) {
  const auto offer = offer_of("fragment1fragment2fragment3fragment4fragment5");
  auto parts = fragments(offer, offer.size() / 5 + 1);
  parts.insert(parts.begin() + 4, ping("pongme 2!"));
  parts.insert(parts.begin() + 2, ping("pongme 1!"));
  // 5.19 waits between the second and the third part; here the first pong is not waited for.
  for (const auto* id : {"5.19", "5.20"}) {
    out.push_back({id,
                   parts,
                   {"pong pongme 1!", "pong pongme 2!"},
                   {"fragment1fragment2fragment3fragment4fragment5"},
                   id[3] == '9' ? by_frame : all_at_once});
  }
}

}  // namespace

table fragment_cases() {
  table out;
  add_control_frames_in_parts(out);
  int n = 3;
  for (const auto step : steps) {
    out.push_back({"5." + std::to_string(n++), {first(), second()}, {}, {sdp}, step});
  }
  for (const auto step : steps) {
    out.push_back({"5." + std::to_string(n++),
                   {first(), ping("ping"), second()},
                   {"pong ping"},
                   {sdp},
                   step});
  }
  add_nothing_to_continue(out);
  out.push_back({"5.18", {first(), second({})}, {refused}});
  add_pings_in_between(out);
  return out;
}

}  // namespace nat::test::autobahn
