// 7 closing.

#include "tests/signaling/autobahn/cases.hpp"

namespace nat::test::autobahn {

namespace {

const std::string hello = "Hello, world!";

void add_after_close(table& out) {
  const auto close = close_frame(1000);
  const auto ping = frame("", {.opcode = 9});
  const auto half = offer_of(hello).substr(0, 20), rest = offer_of(hello).substr(20);
  const std::vector<std::string> closed{"close 1000"};
  out.push_back({"7.1.1", {text(hello), close}, closed, {hello}});
  out.push_back({"7.1.2", {close, close}, closed});
  out.push_back({"7.1.3", {close, ping}, closed});
  out.push_back({"7.1.4", {close, text(hello)}, closed});
  out.push_back(
      {"7.1.5", {frame(half, {.fin = false}), close, frame(rest, {.opcode = 0})}, closed});
  const auto big = sdp_for(65'536);
  out.push_back({"7.1.6", {text(big), close, ping}, closed, {big}});
}

void add_payloads(table& out) {
  const auto close = [](std::string_view payload) { return frame(payload, {.opcode = 8}); };
  const std::string code{'\x03', '\xe8'};
  out.push_back({"7.3.1", {close("")}, {"close 1005"}});
  out.push_back({"7.3.2", {close("a")}, {"close 1002"}});
  out.push_back({"7.3.3", {close(code)}, {"close 1000"}});
  out.push_back({"7.3.4", {close(code + hello)}, {"close 1000"}});
  out.push_back({"7.3.5", {close(code + std::string(123, '*'))}, {"close 1000"}});
  out.push_back({"7.3.6", {close(code + std::string(124, '*'))}, {"close 1002"}});
  const auto not_utf8 = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64";
  out.push_back({"7.5.1", {close(code + not_utf8)}, {"close 1007"}});
}

void add_codes(table& out) {
  int n = 1;
  for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U,
                              1013U, 1014U, 3000U, 3999U, 4000U, 4999U}) {
    out.push_back({"7.7." + std::to_string(n++),
                   {close_frame(code, "reason")},
                   {"close " + std::to_string(code)}});
  }
  n = 1;
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1016U, 1100U, 2000U, 2999U}) {
    out.push_back({"7.9." + std::to_string(n++), {close_frame(code, "reason")}, {"close 1002"}});
  }
  n = 1;
  for (const unsigned code : {5000U, 65'535U}) {
    out.push_back({"7.13." + std::to_string(n++), {close_frame(code)}, {"close 1002"}});
  }
}

}  // namespace

table closing_cases() {
  table out;
  add_after_close(out);
  add_payloads(out);
  add_codes(out);
  return out;
}

}  // namespace nat::test::autobahn
