// 1 framing, 2 pings and pongs, 3 reserved bits, 4 opcodes.

#include "tests/signaling/autobahn/cases.hpp"

namespace nat::test::autobahn {

namespace {

const std::string error = "error bad-message", refused = "close 1002";

std::string ping(std::string_view payload) {
  return frame(payload, {.opcode = 9});
}
std::string pong(std::string_view payload) {
  return frame(payload, {.opcode = 10});
}

void add_framing(table& out) {
  const std::vector<std::size_t> sizes{0, 125, 126, 127, 128, 65'535, 65'536, 65'536};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto n = std::to_string(i + 1);
    const std::size_t step = i == 7 ? 997 : all_at_once;
    if (sizes[i] == 0) {
      out.push_back({"1.1." + n, {frame("")}, {error}});
    } else {
      const auto sdp = sdp_for(sizes[i]);
      out.push_back({"1.1." + n, {text(sdp)}, {}, {sdp}, step});
    }
    const auto binary = frame(std::string(sizes[i], '\xfe'), {.opcode = 2});
    out.push_back({"1.2." + n, {binary}, {error}, {}, step});
  }
}

void add_pings(table& out) {
  const std::string binary("\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 8), longest(125, '\xfe');
  out.push_back({"2.1", {ping("")}, {"pong "}});
  out.push_back({"2.2", {ping("Hello, world!")}, {"pong Hello, world!"}});
  out.push_back({"2.3", {ping(binary)}, {"pong " + binary}});
  out.push_back({"2.4", {ping(longest)}, {"pong " + longest}});
  out.push_back({"2.5", {ping(longest + '\xfe')}, {refused}});
  out.push_back({"2.6", {ping(longest)}, {"pong " + longest}, {}, 1});
  out.push_back({"2.7", {pong("")}});
  out.push_back({"2.8", {pong("unsolicited")}});
  out.push_back({"2.9", {pong("unsolicited"), ping("ping")}, {"pong ping"}});
  std::vector<std::string> pings, pongs;
  for (int i = 0; i < 10; ++i) {
    pings.push_back(ping("payload-" + std::to_string(i)));
    pongs.push_back("pong payload-" + std::to_string(i));
  }
  out.push_back({"2.10", pings, pongs});
  out.push_back({"2.11", pings, pongs, {}, 1});
}

void add_reserved_bits(table& out) {
  const std::string sdp = "Hello, world!";
  const auto with = [&](unsigned rsv, unsigned opcode) {
    return frame(offer_of(sdp), {.opcode = opcode, .reserved_bits = rsv << 4});
  };
  out.push_back({"3.1", {with(1, 1)}, {refused}});
  const std::vector<std::string> second{text(sdp), with(2, 1), ping("")};
  out.push_back({"3.2", second, {refused}, {sdp}});
  const std::vector<std::string> third{text(sdp), with(3, 1), ping("")};
  out.push_back({"3.3", third, {refused}, {sdp}, by_frame});
  const std::vector<std::string> fourth{text(sdp), with(4, 1), ping("")};
  out.push_back({"3.4", fourth, {refused}, {sdp}, 1});
  out.push_back({"3.5", {with(5, 2)}, {refused}});
  out.push_back({"3.6", {with(6, 9)}, {refused}});
  out.push_back({"3.7", {with(7, 8)}, {refused}});
}

// The suite's three shapes: the opcode alone, with a payload, and between a text and a ping.
void add_opcodes(table& out, const std::string& group, unsigned first) {
  const std::string sdp = "Hello, world!";
  const auto with = [](unsigned opcode, std::string_view payload) {
    return frame(payload, {.opcode = opcode});
  };
  out.push_back({group + ".1", {with(first, "")}, {refused}});
  out.push_back({group + ".2", {with(first + 1, "reserved")}, {refused}});
  for (unsigned i = 2; i < 5; ++i) {
    const std::vector<std::string> frames{text(sdp), with(first + i, i == 2 ? "" : "reserved"),
                                          ping("")};
    const std::size_t step = i == 2 ? all_at_once : i == 3 ? by_frame : 1;
    out.push_back({group + '.' + std::to_string(i + 1), frames, {refused}, {sdp}, step});
  }
}

}  // namespace

table framing_cases() {
  table out;
  add_framing(out);
  add_pings(out);
  add_reserved_bits(out);
  add_opcodes(out, "4.1", 3);
  add_opcodes(out, "4.2", 11);
  return out;
}

}  // namespace nat::test::autobahn
