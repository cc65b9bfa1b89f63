#include "signaling/hub/request.hpp"

#include "tests/check.hpp"

namespace nat::hub {
namespace {

request parse(request_parser& parser, std::string_view text) {
  const auto parsed = parser.parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
  return *parsed;
}

refusal refused(std::string_view text) {
  request_parser parser;
  const auto parsed = parser.parse(text);
  REQUIRE_FALSE_MESSAGE(parsed.has_value(), std::string(text));
  return parsed.error();
}

TEST_CASE("what is forwarded stays as it came") {
  request_parser parser;
  const std::string text =
      R"({ "sdp" : "v=0\r\n\u20ac" ,"type":"offer","target":"bob","session":"\u0073","x":[{}]})";
  const auto got = parse(parser, text);
  CHECK(got.type == request_type::offer);
  CHECK(got.peer == "bob");
  CHECK(got.sdp == R"("v=0\r\n\u20ac")");
  CHECK(got.session == R"("\u0073")");
  const std::string more =
      R"({"type":"candidate","target":"b","candidate":{"candidate":"c", "sdpMid":null}})";
  CHECK(parse(parser, more).candidate == R"({"candidate":"c", "sdpMid":null})");
  CHECK(parse(parser, R"({"type":"candidate","target":"b","candidate":null})").candidate == "null");
}

TEST_CASE("names and words may be written with escapes, and the last of a field counts") {
  request_parser parser;
  const std::string text = R"({"typ\u0065":"\u0062ye","target":"x","target":"b\u006fb"})";
  const auto got = parse(parser, text);
  CHECK(got.type == request_type::bye);
  CHECK(got.peer == "bob");
}

TEST_CASE("registrations") {
  request_parser parser;
  const auto got =
      parse(parser, R"({"type":"register","peer_id":"al","token":"t\n","resume":null})");
  CHECK(got.type == request_type::register_);
  CHECK(got.peer == "al");
  CHECK(got.token == "t\n");
  CHECK_FALSE(got.resume.has_value());
}

TEST_CASE("outcomes") {
  request_parser parser;
  const auto got = parse(parser, R"({"type":"outcome","path":"relay","connect_ms":12.5})");
  CHECK(got.path == outcome_path::relay);
  CHECK(got.connect_ms == 12.5);
  CHECK(parse(parser, R"({"type":"outcome","path":"failed"})").path == outcome_path::failed);
  for (const char* bad : {R"({"type":"outcome"})", R"({"type":"outcome","path":"luck"})",
                          R"({"type":"outcome","path":"relay","connect_ms":-1})",
                          R"({"type":"outcome","path":"relay","connect_ms":1e999})",
                          R"({"type":"outcome","path":"relay","connect_ms":"1"})"}) {
    CHECK(refused(bad).code == error_code::bad_message);
    CHECK(refused(bad).request == request_type::outcome);
  }
}

TEST_CASE("a refusal says what is wrong, with which request, for whom") {
  CHECK(refused("nonsense").message == "the message is not a JSON object, or is nested too deeply");
  CHECK_FALSE(refused("nonsense").request.has_value());
  CHECK(refused("{}").message == "the field \"type\" is missing");
  CHECK(refused(R"({"type":5})").message == "the field \"type\" must be a string");
  CHECK(refused(R"({"type":"nope"})").message == "the type \"nope\" is unknown");
  const auto no_sdp = refused(R"({"type":"offer","target":"bob"})");
  CHECK(no_sdp.code == error_code::bad_message);
  CHECK(no_sdp.message == "the field \"sdp\" is missing");
  CHECK(no_sdp.request == request_type::offer);
  CHECK(no_sdp.target == "bob");
  CHECK(refused(R"({"type":"offer","target":"bob","sdp":{}})").message ==
        "the field \"sdp\" must be a string");
  CHECK(refused(R"({"type":"offer","target":"bob","sdp":"","session":1})").message ==
        "the field \"session\" must be a string");
  CHECK(refused(R"({"type":"candidate","target":"bob","candidate":[]})").message ==
        "the field \"candidate\" must be an object or null");
  CHECK(refused(R"({"type":"bye"})").message == "the field \"target\" is missing");
  const auto bad_name = refused(R"({"type":"register","peer_id":"a b"})");
  CHECK(bad_name.code == error_code::bad_peer_id);
  CHECK(bad_name.request == request_type::register_);
  CHECK_FALSE(refused(R"({"type":"offer","target":"a b"})").target.has_value());
}

TEST_CASE("every truncation of a message is refused") {
  request_parser parser;
  const std::string whole = R"({"type":"offer","target":"bob","sdp":"v=0","session":"s"})";
  REQUIRE(parser.parse(whole).has_value());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CHECK_FALSE(parser.parse(std::string_view(whole).substr(0, n)).has_value());
  }
}

}  // namespace
}  // namespace nat::hub
