#include "peer-cli/session/candidate_text.hpp"

#include "tests/check.hpp"

using namespace nat;

TEST_CASE("a candidate keeps its meaning through SDP and back") {
  ice::candidate c;
  c.kind = ice::candidate_kind::server_reflexive;
  c.address = *parse_endpoint("203.0.113.7:40112");
  c.base = *parse_endpoint("192.168.1.2:5000");
  c.related = c.base;
  c.priority = 1'694'498'815;
  c.foundation = "abc";
  const auto text = sdp::to_string(session::to_sdp(c, "ufrag"));
  const auto parsed = sdp::parse_candidate(text);
  REQUIRE(parsed);
  CHECK(parsed->ufrag == "ufrag");
  CHECK(parsed->related_host == "192.168.1.2");
  const auto back = session::from_sdp(*parsed);
  REQUIRE(back);
  CHECK(back->kind == c.kind);
  CHECK(back->address == c.address);
  CHECK(back->priority == c.priority);
  CHECK(back->foundation == c.foundation);
}

TEST_CASE("candidates that can't be sent to are none") {
  const auto usable = [](const char* host, std::uint16_t port, std::uint16_t component = 1) {
    sdp::candidate c;
    c.foundation = "1";
    c.host = host;
    c.port = port;
    c.component = component;
    return session::from_sdp(c).has_value();
  };
  CHECK(usable("192.0.2.1", 5000));
  CHECK(usable("2001:db8::1", 5000));
  CHECK_FALSE(usable("192.0.2.1", 0));
  CHECK_FALSE(usable("0.0.0.0", 5000));
  CHECK_FALSE(usable("224.0.0.251", 5353));
  CHECK_FALSE(usable("192.0.2.1", 5000, 2));
  CHECK_FALSE(usable("e3c1c2a4-0000-4000-8000-000000000000.local", 5000));
}
