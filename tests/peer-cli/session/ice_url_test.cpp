#include "peer-cli/session/ice_url.hpp"

#include "tests/check.hpp"

using namespace nat;
using session::parse_ice_url;

TEST_CASE("STUN and TURN URIs: RFC 7064 and 7065, with their default ports") {
  CHECK(*parse_ice_url("stun:stun.example") ==
        session::ice_url{false, false, transport::udp, "stun.example", 3478});
  CHECK(*parse_ice_url("stun:192.0.2.1:19302") ==
        session::ice_url{false, false, transport::udp, "192.0.2.1", 19302});
  CHECK(*parse_ice_url("turn:[2001:db8::1]:3479?transport=tcp") ==
        session::ice_url{true, false, transport::tcp, "2001:db8::1", 3479});
  CHECK(*parse_ice_url("turns:relay.example") ==
        session::ice_url{true, true, transport::tcp, "relay.example", 5349});
  CHECK(*parse_ice_url("turn:relay.example?transport=udp") ==
        session::ice_url{true, false, transport::udp, "relay.example", 3478});
}

TEST_CASE("STUN and TURN URIs: what is none") {
  for (const auto* text : {"", "stun", "stun:", "http://x", "stun:host:0", "stun:host:65536",
                           "stun:host:x", "turn:h?transport=sctp", "turn:[::1", "turn:[host]:1",
                           "turns:h?transport=udp", "stun:user@host", "stun:a b", "stun:host:"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_ice_url(text));
  }
}
