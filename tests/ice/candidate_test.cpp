#include "ice/candidate.hpp"

#include <set>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::ice;

TEST_CASE("candidate priority follows RFC 8445, 5.1.2.1") {
  CHECK(candidate_priority(candidate_kind::host, 65535) == 2130706431);
  CHECK(candidate_priority(candidate_kind::server_reflexive, 65535) == 1694498815);
  CHECK(candidate_priority(candidate_kind::relayed, 65535) == 16777215);
  CHECK(candidate_priority(candidate_kind::peer_reflexive, 0) == (110U << 24) + 255);
  CHECK(candidate_priority(candidate_kind::host, 1) > candidate_priority(candidate_kind::host, 0));
  CHECK(candidate_priority(candidate_kind::peer_reflexive, 65535) <
        candidate_priority(candidate_kind::host, 0));
}

TEST_CASE("pair priority is 2^32 MIN + 2 MAX + (G > D)") {
  CHECK(pair_priority(1, 2) == (std::uint64_t{1} << 32) + 4);
  CHECK(pair_priority(2, 1) == (std::uint64_t{1} << 32) + 5);
  CHECK(pair_priority(7, 7) == (std::uint64_t{7} << 32) + 14);
  CHECK(pair_priority(0xFFFFFFFF, 0xFFFFFFFF) == 0xFFFFFFFFULL * (1ULL << 32) + 2 * 0xFFFFFFFFULL);
  CHECK(pair_priority(0x7EFFFFFF, 0x00FFFFFF) != pair_priority(0x00FFFFFF, 0x7EFFFFFF));
}

TEST_CASE("foundations are equal exactly for the same kind, base, server and transport") {
  const auto a = *parse_address("192.0.2.1"), b = *parse_address("192.0.2.2");
  const auto a6 = *parse_address("2001:db8::1");
  const auto s1 = *parse_endpoint("198.51.100.1:3478"),
             s1_tls = *parse_endpoint("198.51.100.1:5349");
  const auto s2 = *parse_endpoint("198.51.100.2:3478");
  const auto make = [](candidate_kind kind, const address& base,
                       const std::optional<endpoint>& server = {},
                       transport proto = transport::udp) {
    const auto text = make_foundation(kind, base, server, proto);
    CHECK(text.size() >= 1);
    CHECK(text.size() <= 32);  // RFC 8839, 5.1
    for (const char c : text) {
      CHECK(((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')));
    }
    return text;
  };
  using enum candidate_kind;
  CHECK(make(host, a) == make(host, a));
  CHECK(make(server_reflexive, a, s1) == make(server_reflexive, a, s1_tls));
  const std::set<std::string> all{
      make(host, a),
      make(host, b),
      make(host, a6),
      make(host, a, {}, transport::tcp),
      make(server_reflexive, a, s1),
      make(server_reflexive, a, s2),
      make(server_reflexive, b, s1),
      make(relayed, a, s1),
      make(peer_reflexive, a),
  };
  CHECK(all.size() == 9);
}

TEST_CASE("candidate kinds have the names of RFC 8839, 5.1") {
  CHECK(to_string(candidate_kind::host) == "host");
  CHECK(to_string(candidate_kind::server_reflexive) == "srflx");
  CHECK(to_string(candidate_kind::peer_reflexive) == "prflx");
  CHECK(to_string(candidate_kind::relayed) == "relay");
}
