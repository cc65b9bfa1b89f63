// Where the relay goes and where it does not: in every disguise.

#include "stun/turn/peer_policy.hpp"
#include "tests/stun/turn/server_harness.hpp"

using namespace nat;
using namespace nat::test;
using verdict = turn::peer_policy::verdict;

namespace {

const path client = server_harness::from(5000);

address at(const char* text) {
  return *parse_address(text);
}

constexpr const char* refused_v4[] = {
    "0.0.0.0",        "0.1.2.3",         "10.0.0.1",        "100.64.0.1",  "100.127.255.255",
    "127.0.0.1",      "127.255.255.254", "169.254.169.254", "172.16.0.1",  "172.31.255.255",
    "192.0.0.1",      "192.0.2.1",       "192.88.99.1",     "192.168.0.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.9",    "203.0.113.1",     "224.0.0.1",   "239.255.255.255",
    "240.0.0.1",      "255.255.255.255"};
constexpr const char* refused_v6[] = {"::",
                                      "::1",
                                      "::7f00:1",
                                      "::ffff:127.0.0.1",
                                      "::ffff:10.0.0.1",
                                      "::ffff:8.8.8.8",
                                      "64:ff9b::7f00:1",
                                      "64:ff9b::a00:1",
                                      "64:ff9b:1::1",
                                      "64:ff9b:1:ffff::1",
                                      "100::1",
                                      "2001::1",
                                      "2001:0:7f00:1::",
                                      "2001:db8::5",
                                      "2002:7f00:1::",
                                      "2002:a00:1::1",
                                      "fc00::1",
                                      "fdff:ffff::1",
                                      "fe80::1",
                                      "febf::1",
                                      "fec0::1",
                                      "ff02::1"};
constexpr const char* allowed[] = {
    "1.1.1.1",         "9.255.255.255", "11.0.0.1",        "100.63.255.255", "100.128.0.1",
    "126.255.255.255", "128.0.0.1",     "172.15.255.255",  "172.32.0.1",     "192.167.255.255",
    "198.17.255.255",  "198.20.0.1",    "223.255.255.255", "2001:200::1",    "2001:4860::8888",
    "2003::1",         "2600::1",       "64:ff9c::1"};

}  // namespace

TEST_CASE("a prefix is read, and knows what lies in it") {
  CHECK(turn::parse_prefix("10.0.0.0/8")->contains(at("10.255.255.255")));
  CHECK_FALSE(turn::parse_prefix("10.0.0.0/8")->contains(at("11.0.0.0")));
  CHECK(turn::parse_prefix("192.0.2.5")->contains(at("192.0.2.5")));
  CHECK_FALSE(turn::parse_prefix("192.0.2.5")->contains(at("192.0.2.4")));
  CHECK(turn::parse_prefix("100.64.0.0/10")->contains(at("100.127.0.1")));
  CHECK(turn::parse_prefix("0.0.0.0/0")->contains(at("8.8.8.8")));
  CHECK_FALSE(turn::parse_prefix("0.0.0.0/0")->contains(at("::")));
  CHECK_FALSE(turn::parse_prefix("::/0")->contains(at("8.8.8.8")));
  // Bit by bit, not octet by octet, and from the front.
  CHECK(turn::parse_prefix("fe80::/10")->contains(at("febf:ffff::1")));
  CHECK_FALSE(turn::parse_prefix("fe80::/10")->contains(at("fec0::1")));
  CHECK_FALSE(turn::parse_prefix("2001:db8::/32")->contains(at("2001:db9::")));
  CHECK(turn::parse_prefix("2001:db8::/32")->contains(at("2001:db8:ffff::")));
  for (const auto* bad : {"", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/", "10.0.0.0/8x",
                          "10.0.0.0/-1", "2001:db8::1/32", "x/8"}) {
    INFO(bad);
    CHECK_FALSE(turn::parse_prefix(bad).has_value());
  }
}

TEST_CASE("by default the relay reaches the internet and nothing else") {
  const turn::peer_policy policy;
  for (const auto* text : refused_v4) {
    INFO(text);
    CHECK(policy.judge(at(text)) == verdict::refused);
  }
  for (const auto* text : refused_v6) {
    INFO(text);
    CHECK(policy.judge(at(text)) == verdict::refused);
  }
  for (const auto* text : allowed) {
    INFO(text);
    CHECK(policy.judge(at(text)) == verdict::allowed);
  }
}

TEST_CASE("deny beats allow, allow beats the defaults, the server's own stays closed") {
  turn::peer_policy policy;
  policy.allow = {*turn::parse_prefix("10.0.0.0/8"), *turn::parse_prefix("127.0.0.1")};
  policy.deny = {*turn::parse_prefix("10.1.0.0/16"), *turn::parse_prefix("8.8.8.8")};
  policy.own = {at("10.2.0.1"), at("127.0.0.1"), at("5.5.5.5")};
  CHECK(policy.judge(at("10.3.0.1")) == verdict::allowed);
  CHECK(policy.judge(at("10.1.0.1")) == verdict::refused);
  CHECK(policy.judge(at("8.8.8.8")) == verdict::refused);
  policy.own.push_back(at("192.168.0.9"));
  policy.own.push_back(at("::1"));
  CHECK(policy.judge(at("192.168.0.9")) == verdict::own);
  CHECK(policy.judge(at("::1")) == verdict::refused);
  policy.relaying = {at("::1")};
  CHECK(policy.judge(at("::1")) == verdict::own);       // relayed ports are there
  CHECK(policy.judge(at("10.2.0.1")) == verdict::own);  // a range does not open the server itself
  CHECK(policy.judge(at("127.0.0.1")) == verdict::allowed);  // its very address does
  CHECK(policy.judge(at("5.5.5.5")) == verdict::own);
  CHECK(policy.judge(at("::ffff:10.3.0.1")) == verdict::refused);  // not by another spelling
}

TEST_CASE_FIXTURE(server_harness, "refused peers: no permission, no channel, no data") {
  REQUIRE(allocate(client, [](auto& w) {
            w.template put<attr::additional_address_family>(2);
          })->success);
  const auto check_refused = [&](const char* text) {
    INFO(text);
    const endpoint peer{at(text), 53};
    CHECK(permit(client, peer)->code == 403);
    CHECK(bind(client, 0x4001, peer)->code == 403);
    CHECK(std::holds_alternative<std::monostate>(send(client, peer, "x")));
  };
  for (const auto* text : refused_v4) {
    // The harness allows 192.0.2.0/24, and 198.51.100.1 is its own address.
    if (!std::string_view(text).starts_with("192.0.2.")) check_refused(text);
  }
  for (const auto* text : refused_v6) check_refused(text);
  CHECK(server.counters().packets_to_peers == 0);
}

TEST_CASE_FIXTURE(server_harness, "of several peers one is refused: none gets a permission") {
  REQUIRE(allocate(client)->success);
  const auto got = ask(client, method::create_permission, [](stun::message_writer& w) {
    w.put<attr::xor_peer_address>(peer_v4).put<attr::xor_peer_address>({at("127.0.0.1"), 80});
  });
  CHECK(got->code == 403);
  CHECK(std::holds_alternative<std::monostate>(send(client, peer_v4, "x")));
}

TEST_CASE_FIXTURE(server_harness, "the server's own address: relayed ports, nothing else") {
  const auto other = from(5001);
  const auto mine = allocate(client), theirs = allocate(other);
  const auto mine_at = *mine->view().get<attr::xor_relayed_address>();
  const auto theirs_at = *theirs->view().get<attr::xor_relayed_address>();
  REQUIRE(permit(client, theirs_at)->success);
  CHECK(std::holds_alternative<std::monostate>(send(client, server_v4, "to the server itself")));
  CHECK(std::holds_alternative<std::monostate>(send(client, {server_v4.ip, 22}, "ssh")));
  // Relayed to relayed stays inside, under the other's permission.
  CHECK(std::holds_alternative<std::monostate>(send(client, theirs_at, "unasked")));
  REQUIRE(permit(other, mine_at)->success);
  const auto out = send(client, theirs_at, "hello");
  REQUIRE(std::holds_alternative<turn::to_client>(out));
  CHECK(std::get<turn::to_client>(out).via == other);
}
