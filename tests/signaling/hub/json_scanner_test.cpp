#include "signaling/hub/json_scanner.hpp"

#include <vector>

#include "tests/check.hpp"

namespace nat::hub {
namespace {

bool good(std::string_view text) {
  json_scanner s(text);
  while (s.next()) {
  }
  return s.complete();
}

bool good_value(std::string_view value) {
  return good("{\"k\":" + std::string(value) + '}');
}

TEST_CASE("the members of an object, as they stand") {
  json_scanner s(
      " { \"a\" : [1, {\"b\":2}] ,\n\"c\":\"\\u20ac \\\" x\",\"d\":null,\"e\":-1.5e3 } ");
  const auto a = s.next();
  REQUIRE(a.has_value());
  CHECK(a->key.raw == "\"a\"");
  CHECK(a->value.kind == json_kind::array);
  CHECK(a->value.raw == "[1, {\"b\":2}]");
  const auto c = s.next();
  CHECK(c->value.kind == json_kind::string);
  CHECK(c->value.raw == "\"\\u20ac \\\" x\"");
  CHECK(s.next()->value.kind == json_kind::null);
  const auto e = s.next();
  CHECK(e->value.kind == json_kind::number);
  CHECK(e->value.raw == "-1.5e3");
  CHECK_FALSE(s.next().has_value());
  CHECK(s.complete());
}

TEST_CASE("JSON is accepted") {
  for (const char* value : {"0",
                            "-0",
                            "10",
                            "1.0",
                            "1e5",
                            "1E+5",
                            "1e-5",
                            "123456789012345678901234567890",
                            "true",
                            "false",
                            "null",
                            "[]",
                            "{}",
                            "[[]]",
                            "[ ]",
                            "{ }",
                            "[1 , 2]",
                            "\"\"",
                            "\"\\ud83d\\ude00\"",
                            "\"\\b\\f\\n\\r\\t\\/\\\\\\\"\"",
                            "\"12345678\\n\"",
                            "\"\x7f\"",
                            "\"\xe2\x82\xac\""}) {
    CHECK_MESSAGE(good_value(value), value);
  }
  CHECK(good("{}"));
  CHECK(good(" \t\r\n{ } "));
}

TEST_CASE("what is not JSON is refused") {
  for (const char* value : {"",
                            "01",
                            "+1",
                            "1.",
                            ".5",
                            "1e",
                            "1e+",
                            "-",
                            "0x1",
                            "NaN",
                            "Infinity",
                            "tru",
                            "True",
                            "nul",
                            "[1,]",
                            "[,1]",
                            "[1 2]",
                            "[1",
                            "{\"a\"}",
                            "{\"a\":}",
                            "{\"a\":1,}",
                            "{a:1}",
                            "{'a':1}",
                            "{\"a\" 1}",
                            "'x'",
                            "\"x",
                            "\"\\x\"",
                            "\"\\u12\"",
                            "\"\\u12g4\"",
                            "\"\\ud83d\"",
                            "\"\\ud83d\\u0041\"",
                            "\"\\ude00\"",
                            "\"\\",
                            "\"a\nb\"",
                            "\"1234567\t\"",
                            "\"12345678\x01\"",
                            "1 2",
                            "\"a\"\"b\"",
                            "]",
                            "}"}) {
    CHECK_FALSE_MESSAGE(good_value(value), value);
  }
  CHECK_FALSE(good_value(std::string_view("\"a\0b\"", 5)));
  for (const char* text : {"", "null", "[]", "\"x\"", "{", "{}}", "{} {}", "{\"a\":1", "{\"a\":1}x",
                           "{,}", "{\"a\":1,,\"b\":2}", "\xef\xbb\xbf{}"}) {
    CHECK_FALSE_MESSAGE(good(text), text);
  }
}

TEST_CASE("depth is bounded") {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  CHECK(good_value(nested(max_json_depth - 1)));
  CHECK_FALSE(good_value(nested(max_json_depth)));
  CHECK_FALSE(good_value(std::string(60'000, '[')));
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += "{\"a\":";
  CHECK_FALSE(good(objects));
}

TEST_CASE("every truncation is incomplete") {
  const std::string whole = R"({"a":"\ud83d\ude00\n","b":[1.5e1,{"c":null}],"d":true})";
  REQUIRE(good(whole));
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(good(whole.substr(0, n)));
}

TEST_CASE("unescaping") {
  std::string scratch;
  CHECK(unescaped("\"plain\"", scratch) == "plain");
  CHECK(scratch.empty());
  CHECK(unescaped(R"("a\"\\\/\b\f\n\r\tz")", scratch) == "a\"\\/\b\f\n\r\tz");
  CHECK(unescaped(R"("\u0041\u00e9\u20ac\ud83d\ude00!")", scratch) ==
        "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80!");
}

}  // namespace
}  // namespace nat::hub
