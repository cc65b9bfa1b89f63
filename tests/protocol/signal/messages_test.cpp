#include "protocol/signal/messages.hpp"

#include "tests/check.hpp"

namespace nat::signal {
namespace {

template <class Message>
Message server_as(std::string_view text) {
  const auto parsed = parse_server_message(text);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
  REQUIRE(std::holds_alternative<Message>(*parsed));
  return std::get<Message>(*parsed);
}

std::string server_failure(std::string_view text) {
  const auto parsed = parse_server_message(text);
  return parsed ? "accepted" : parsed.error().message;
}

std::string client_failure(std::string_view text) {
  const auto parsed = parse_client_message(text);
  return parsed ? "accepted" : parsed.error().message;
}

TEST_CASE("names") {
  CHECK(is_peer_id("a"));
  CHECK(is_peer_id("AZaz09._~-"));
  CHECK(is_peer_id(std::string(64, 'x')));
  CHECK_FALSE(is_peer_id(""));
  CHECK_FALSE(is_peer_id(std::string(65, 'x')));
  for (const char* bad : {"a b", "a/b", "caf\xc3\xa9", "a\n", "a\"", "a{"}) {
    CHECK_FALSE_MESSAGE(is_peer_id(bad), bad);
  }
  CHECK_FALSE(is_peer_id(std::string_view("a\0", 2)));
}

TEST_CASE("what a client writes names the target, what it reads names the origin") {
  CHECK(to_json(client_message(offer_message{"bob", "v=0\r\n", "s1"})) ==
        R"({"type":"offer","target":"bob","session":"s1","sdp":"v=0\r\n"})");
  CHECK(to_json(server_message(offer_message{"bob", "v=0\r\n", std::nullopt})) ==
        R"({"type":"offer","from":"bob","sdp":"v=0\r\n"})");
  const auto got = server_as<offer_message>(R"({"type":"offer","from":"al","sdp":"x","new":[1]})");
  CHECK(got.peer == "al");
  CHECK(got.sdp == "x");
  CHECK_FALSE(got.session.has_value());
}

TEST_CASE("every client message survives a round trip") {
  const ice_candidate candidate{"candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0, "ufrag"};
  const std::vector<client_message> all{
      register_message{"al", "tok\"en", "res"},
      register_message{"al", std::nullopt, std::nullopt},
      offer_message{"bob", std::string(50'000, 'x'), "s"},
      answer_message{"bob", "\xe2\x82\xac", std::nullopt},
      candidate_message{"bob", candidate, "s"},
      candidate_message{"bob", ice_candidate{"", std::nullopt, std::nullopt, std::nullopt}, "s"},
      candidate_message{"bob", std::nullopt, std::nullopt},
      bye_message{"bob", "s", "done"},
      outcome_message{"direct", 12.5},
  };
  for (const auto& message : all) {
    const auto text = to_json(message);
    const auto parsed = parse_client_message(text);
    REQUIRE_MESSAGE(parsed.has_value(), text);
    CHECK(parsed->index() == message.index());
    CHECK(to_json(*parsed) == text);
  }
}

TEST_CASE("every server message survives a round trip") {
  const std::vector<server_message> all{
      registered_message{
          "al", "secret", {{{"stun:192.0.2.1:3478"}, "", ""}, {{"turn:a", "turn:b"}, "u", "c"}}, 9},
      error_message{"id-taken", "The name is taken.", "register", std::nullopt},
      error_message{"peer-not-found", "", "offer", "bob"},
      going_away_message{},
      answer_message{"bob", "v=0", "s"},
      candidate_message{"bob", std::nullopt, "s"},
      bye_message{"bob", std::nullopt, std::nullopt},
  };
  for (const auto& message : all) {
    const auto text = to_json(message);
    const auto parsed = parse_server_message(text);
    REQUIRE_MESSAGE(parsed.has_value(), text);
    CHECK(to_json(*parsed) == text);
  }
  CHECK(server_as<registered_message>(to_json(all[0])).ice_servers ==
        std::get<registered_message>(all[0]).ice_servers);
}

TEST_CASE("a browser's candidate and its list of servers") {
  const auto got = server_as<candidate_message>(
      R"({"type":"candidate","from":"b","candidate":{"candidate":"candidate:7","sdpMid":"0",)"
      R"("sdpMLineIndex":1,"usernameFragment":null}})");
  REQUIRE(got.candidate.has_value());
  CHECK(*got.candidate == ice_candidate{"candidate:7", "0", 1, std::nullopt});
  const auto servers =
      server_as<registered_message>(R"({"type":"registered","peer_id":"a","resume":"r",)"
                                    R"("ice_servers":[{"urls":"stun:x"}],"ttl":4294967295})")
          .ice_servers;
  CHECK(servers == std::vector<ice_server>{{{"stun:x"}, "", ""}});
  const auto sparse = server_as<registered_message>(R"({"type":"registered","peer_id":"a"})");
  CHECK(sparse.ice_servers.empty());
  CHECK(sparse.ttl == 0);
}

TEST_CASE("a refusal says which field and why") {
  CHECK(server_failure("") == "the message is not JSON");
  CHECK(server_failure("{} {}") == "the message is not JSON");
  CHECK(server_failure("[1]") == "the message is not a JSON object");
  CHECK(server_failure("{}") == "the field \"type\" is missing");
  CHECK(server_failure(R"({"type":7})") == "the field \"type\" must be a string");
  CHECK(server_failure(R"({"type":"Offer"})") == "the type \"Offer\" is unknown");
  CHECK(server_failure(R"({"type":")" + std::string(99, 'x') + "\"}") == "the type is unknown");
  CHECK(client_failure(R"({"type":"offer","target":"b"})") == "the field \"sdp\" is missing");
  CHECK(client_failure(R"({"type":"offer","target":"b","sdp":1})") ==
        "the field \"sdp\" must be a string");
  CHECK(client_failure(R"({"type":"offer","target":"b c","sdp":""})") ==
        "the field \"target\" must be a name: 1 to 64 of A-Z a-z 0-9 . _ ~ -");
  CHECK(client_failure(R"({"type":"candidate","target":"b"})") ==
        "the field \"candidate\" is missing");
  CHECK(client_failure(R"({"type":"candidate","target":"b","candidate":"x"})") ==
        "the field \"candidate\" must be an object or null");
  CHECK(
      client_failure(R"({"type":"candidate","target":"b","candidate":{"sdpMLineIndex":65536}})") ==
      "the field \"sdpMLineIndex\" must be a whole number from 0 to 65535");
  CHECK(client_failure(R"({"type":"outcome","path":"luck"})") ==
        "the field \"path\" must be \"direct\", \"relay\" or \"failed\"");
  CHECK(client_failure(R"({"type":"outcome","path":"relay","connect_ms":-1})") ==
        "the field \"connect_ms\" must be a number, 0 or more");
  CHECK(client_failure(R"({"type":"going-away"})") == "the type \"going-away\" is unknown");
}

TEST_CASE("hostile texts are refused: too large, too deep, not UTF-8") {
  CHECK(client_failure(std::string(max_message_bytes + 1, ' ')) ==
        "the message has 65537 bytes, more than the 65536 that are allowed");
  CHECK(client_failure(std::string(60'000, '[')) == "the message is nested too deeply");
  CHECK(client_failure(R"({"type":"bye","target":"b","x":)" + std::string(17, '[') +
                       std::string(17, ']') + "}") == "the message is nested too deeply");
  CHECK(client_failure(R"({"type":"bye","target":"b","x":"[[[[[[[[[[[[[[[[[[[[["})") == "accepted");
  CHECK(client_failure("{\"type\":\"bye\",\"target\":\"b\",\"reason\":\"\xff\"}") ==
        "the message is not JSON");
  CHECK(client_failure("{\"type\":\"bye\",\"target\":\"b\",\"reason\":\"\xed\xa0\x80\"}") ==
        "the message is not JSON");
}

TEST_CASE("text that is not UTF-8 is replaced, not thrown at the caller") {
  const auto text = to_json(client_message(bye_message{"b", std::nullopt, "a\xff"}));
  CHECK(text == "{\"type\":\"bye\",\"target\":\"b\",\"reason\":\"a\xef\xbf\xbd\"}");
}

TEST_CASE("no truncation of a message is a message") {
  const auto whole = to_json(client_message(offer_message{"bob", "v=0", "s"}));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CHECK_FALSE(parse_client_message(std::string_view(whole).substr(0, n)).has_value());
  }
}

}  // namespace
}  // namespace nat::signal
