#include "tests/check.hpp"

#include <algorithm>

#include "tests/ice/portmap/home_router.hpp"

using namespace nat;
using namespace nat::portmap;
using namespace nat::test;

namespace {

const endpoint external{outside, 51000};

// Grants what is asked for last.
void grant_pcp(home& h, std::uint32_t lifetime = 3600, std::uint32_t epoch = 100) {
  h.receive(pcp_answer(h.pcp_request(), external, lifetime, epoch));
}

}  // namespace

TEST_CASE("all three are asked in the first moment") {
  home h;
  h.start();
  CHECK(h.requests(2).size() == 1);
  CHECK(h.requests(0).size() == 1);
  std::size_t searches = 0;
  for (const auto& t : h.sent) searches += t.via.remote.port == ssdp::port ? 1 : 0;
  CHECK(searches == 2);  // the group, and the gateway alone
  for (const auto& t : h.sent) CHECK(t.via.local == inside);
}

TEST_CASE("nothing is asked for addresses that need no port") {
  home h;
  for (const auto* text : {"203.0.113.5:4000", "127.0.0.1:4000", "169.254.1.1:4000", "0.0.0.0:4",
                           "[fe80::1]:4000", "[::1]:4000"}) {
    h.start(*parse_endpoint(text), parse_endpoint(text)->ip.v4 ? router : router6);
  }
  h.start(inside, router6);    // another family
  h.start(inside, inside.ip);  // itself
  CHECK(h.sent.empty());
  CHECK_FALSE(h.mapper.next_timeout());
  CHECK(h.mapper.settled(h.now));
  h.mapper.release(h.now);
  CHECK(h.mapper.released());
}

TEST_CASE("PCP: mapped, renewed at half-time with what was given, deleted") {
  home h(only(protocol::pcp));
  h.start();
  grant_pcp(h);
  REQUIRE(h.mapped.size() == 1);
  CHECK(h.mapped[0].external == external);
  CHECK(h.mapped[0].base == inside);
  CHECK(h.mapped[0].via() == "pcp:192.168.1.1");
  REQUIRE(h.answered.size() == 1);
  CHECK(h.answered[0].external == outside);
  CHECK(h.mapper.settled(h.now));
  h.advance(1799s);
  CHECK(h.requests(2).size() == 1);
  h.advance(1s);
  REQUIRE(h.requests(2).size() == 2);
  const auto first = h.requests(2)[0], renewal = h.requests(2)[1];
  CHECK(std::equal(first.begin() + 24, first.begin() + 42, renewal.begin() + 24));  // nonce, port
  CHECK(load_be<std::uint16_t>(renewal, 42) == external.port);
  CHECK(load_be<std::uint32_t>(renewal, 56) == load_be<std::uint32_t>(outside.octets));
  grant_pcp(h, 3600, 1900);
  CHECK(h.mapped.size() == 1);  // the same one
  h.mapper.release(h.now);
  h.drain();
  CHECK(load_be<std::uint32_t>(h.pcp_request(), 4) == 0);
  CHECK_FALSE(h.mapper.released());
  h.receive(pcp_answer(h.pcp_request(), external, 0, 1900));
  CHECK(h.mapper.released());
}

TEST_CASE("PCP: lost answers are asked for again, at 0, 250, 750, 1750 ms and so on") {
  home h(only(protocol::pcp));
  h.start();
  CHECK_FALSE(h.mapper.settled(h.now));
  h.advance(900ms);
  CHECK(h.requests(2).size() == 3);
  CHECK(h.mapper.settled(h.now));  // nobody has to wait any longer
  h.advance(60s);
  CHECK(h.requests(2).size() >= 7);
  const auto before = h.requests(2).size();
  h.advance(4h);
  CHECK(h.requests(2).size() - before < 30);  // RFC 6887, 8.1.1: at most every 1024 s in the end
  grant_pcp(h);                               // and it is never too late
  CHECK(h.mapped.size() == 1);
}

TEST_CASE("PCP: a renewal that is never answered loses the mapping when it ends") {
  home h(only(protocol::pcp));
  h.start();
  grant_pcp(h, 120);
  h.advance(119s);
  CHECK(h.unmapped.empty());
  h.advance(2s);
  REQUIRE(h.unmapped.size() == 1);
  CHECK(h.unmapped[0].external == external);
  CHECK(h.mapper.mappings().empty());
}

TEST_CASE(
    "PCP: a renewal that is refused costs nothing before the mapping ends, nor its deletion") {
  home h(only(protocol::pcp));
  h.start();
  grant_pcp(h, 3600);
  h.advance(1800s);
  h.receive(pcp_answer(h.pcp_request(), external, 60, 1900, 8));
  CHECK(h.unmapped.empty());
  CHECK(h.mapper.mappings().size() == 1);
  const auto before = h.requests(2).size();
  SUBCASE("asked again when the refusal is over") {
    h.advance(60s);
    CHECK(h.requests(2).size() == before + 1);
    grant_pcp(h, 3600, 1960);
    h.advance(1799s);
    CHECK(h.unmapped.empty());
  }
  SUBCASE("given back") {
    h.mapper.release(h.now);
    h.drain();
    CHECK(h.requests(2).size() == before + 1);
    CHECK_FALSE(h.mapper.released());
  }
  SUBCASE("lost when it ends") {
    for (int i = 0; i < 30; ++i) {
      h.advance(61s);
      h.receive(
          pcp_answer(h.pcp_request(), external, 60, static_cast<std::uint32_t>(1961 + 61 * i), 8));
    }
    CHECK(h.unmapped.size() == 1);
    CHECK(h.mapper.mappings().empty());
  }
}

TEST_CASE("PCP: each refusal is told in words, and asked about again no sooner than it says") {
  for (unsigned code = 2; code <= 13; ++code) {
    home h(only(protocol::pcp));
    h.start();
    h.receive(pcp_answer(h.pcp_request(), external, 600, 100, static_cast<std::uint8_t>(code)));
    CHECK(h.mapped.empty());
    REQUIRE(h.refused.size() == 1);
    CHECK(h.refused[0].reason == pcp::explain(static_cast<pcp::result>(code)));
    CHECK(h.mapper.settled(h.now));
    h.advance(599s);
    CHECK(h.requests(2).size() == 1);
    h.advance(1s);
    CHECK(h.requests(2).size() == 2);
    grant_pcp(h, 3600, 700);
    CHECK(h.mapped.size() == 1);
  }
}

TEST_CASE("PCP: the lifetime of an error and of a mapping are kept within reason") {
  home h(only(protocol::pcp));
  h.start();
  h.receive(pcp_answer(h.pcp_request(), external, 0xffffffff, 100, 8));
  h.advance(1800s);
  CHECK(h.requests(2).size() == 2);
  h.receive(pcp_answer(h.pcp_request(), external, 0, 1900, 8));
  h.advance(29s);
  CHECK(h.requests(2).size() == 2);
  h.advance(1s);
  grant_pcp(h, 0xffffffff, 1930);
  REQUIRE(h.mapped.size() == 1);
  CHECK(h.mapped[0].lifetime == 24h);
  home brief(only(protocol::pcp));
  brief.start();
  for (int i = 0; i < 100; ++i) {  // a second at a time: asked every four seconds, not in a storm
    grant_pcp(brief, 1, static_cast<std::uint32_t>(100 + 4 * i));
    brief.advance(4s);
  }
  CHECK(brief.requests(2).size() <= 102);
}

TEST_CASE("PCP: answers that are not ours change nothing") {
  home h(only(protocol::pcp));
  h.start();
  const auto good = pcp_answer(h.pcp_request(), external, 3600, 100);
  const auto ignored = [&](const endpoint& from, byte_view data) {
    h.receive(from, data);
    return h.mapped.empty() && h.refused.empty();
  };
  CHECK(ignored({*parse_address("192.168.1.2"), server_port}, good));
  CHECK(ignored({router, 5350}, good));
  auto other = good;
  other[24] ^= std::byte{1};  // nonce
  CHECK(ignored({router, server_port}, other));
  other = good;
  other[36] = std::byte{6};  // TCP
  CHECK(ignored({router, server_port}, other));
  other = good;
  other[41] ^= std::byte{1};  // internal port
  CHECK(ignored({router, server_port}, other));
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(ignored({router, server_port}, byte_view(good).first(size)));
  }
  h.mapper.handle_datagram(
      {transport::udp, *parse_endpoint("192.168.1.5:40001"), {router, server_port}}, good, h.now);
  h.drain();
  CHECK(h.mapped.empty());
  h.receive(good);
  CHECK(h.mapped.size() == 1);
  h.receive(pcp_answer(good, {outside, 1}, 3600, 100));  // nothing was asked
  CHECK(h.mapped.size() == 1);
}

TEST_CASE("PCP: an address or port that can't be is a refusal") {
  for (const auto* text : {"127.0.0.1:51000", "224.0.0.1:51000", "0.0.0.0:51000", "203.0.113.7:0",
                           "[2001:db8::1]:51000"}) {
    home h(only(protocol::pcp));
    h.start();
    h.receive(pcp_answer(h.pcp_request(), *parse_endpoint(text), 3600, 100));
    CHECK(h.mapped.empty());
    CHECK(h.refused.size() == 1);
  }
}

TEST_CASE("PCP: a gateway that restarts is told again, by any answer and by its announcement") {
  home h(only(protocol::pcp));
  const auto second = *parse_endpoint("192.168.1.6:40000");
  h.start();
  grant_pcp(h, 3600, 1000);
  h.start(second);
  h.advance(10s);
  const auto asked = h.requests(2).size();
  h.receive({router, server_port}, pcp_answer(h.pcp_request(), {outside, 51001}, 3600, 3), second);
  CHECK(h.mapped.size() == 2);
  h.advance(1ms);
  CHECK(h.requests(2).size() == asked + 1);  // the first socket's, again
  grant_pcp(h, 3600, 4);
  const auto announcement = from_hex("02800000 00000000 00000001 000000000000000000000000");
  h.advance(600s);
  h.mapper.handle_announcement({router, 5350}, announcement, h.now);
  h.mapper.handle_announcement({*parse_address("192.168.1.9"), server_port}, announcement, h.now);
  h.advance(1s);
  CHECK(h.requests(2).size() == asked + 1);
  h.mapper.handle_announcement({router, server_port}, announcement, h.now);
  h.drain();
  CHECK(h.requests(2).size() == asked + 3);
}

TEST_CASE(
    "a gateway that claims to restart all the time is not asked more than every four seconds") {
  home h(only(protocol::pcp));
  const auto second = *parse_endpoint("192.168.1.6:40000");
  h.start();
  grant_pcp(h, 3600, 50);
  h.start(second);
  std::uint32_t epoch = 1'000'000;
  std::size_t answered = 0;
  for (int i = 0; i < 1000; ++i) {
    for (; answered < h.sent.size(); ++answered) {
      epoch ^= 0x40000;
      const auto request = h.sent[answered].data;
      const auto base = h.sent[answered].via.local;
      h.receive({router, server_port}, pcp_answer(request, external, 3600, epoch), base);
    }
    h.advance(100ms);
  }
  CHECK(h.requests(2).size() < 2 * 100 / 4 + 10);
}

TEST_CASE("NAT-PMP: a gateway that refuses PCP's version maps at once") {
  home h;
  h.start();
  h.receive(nat_pmp_address(outside, 100));
  CHECK(h.requests(0).size() == 1);  // PCP has the first word
  h.receive(from_hex("00810001 00000064"));
  REQUIRE(h.requests(0).size() == 2);
  CHECK(h.requests(0)[1] == nat_pmp::write_map_request(inside.port, inside.port, 3600));
  h.receive(nat_pmp_mapped(inside.port, 51000, 3600, 100));
  REQUIRE(h.mapped.size() == 1);
  CHECK(h.mapped[0].how == protocol::nat_pmp);
  CHECK(h.mapped[0].external == external);
  h.advance(1800s);
  CHECK(h.requests(2).size() == 1);  // PCP is not asked again
  CHECK(std::ranges::count(h.requests(0), nat_pmp::write_map_request(inside.port, 51000, 3600)) ==
        1);
  h.receive(nat_pmp_mapped(inside.port, 51000, 3600, 1900));
  h.mapper.release(h.now);
  h.drain();
  CHECK(h.requests(0).back() == nat_pmp::write_map_request(inside.port, 0, 0));
  h.receive(nat_pmp_mapped(inside.port, 0, 0, 1900));
  CHECK(h.mapper.released());
}

TEST_CASE("NAT-PMP: maps after the grace where PCP is silent, and only for this port") {
  home h;
  h.start();
  h.receive(nat_pmp_address(outside, 100));
  h.advance(99ms);
  CHECK(h.requests(0).size() == 1);
  h.advance(1ms);
  CHECK(h.requests(0).size() == 2);
  h.receive(nat_pmp_mapped(1, 51000, 3600, 100));
  CHECK(h.mapped.empty());
  h.receive(nat_pmp_mapped(inside.port, 51000, 3600, 100));
  CHECK(h.mapped.size() == 1);
}

TEST_CASE("NAT-PMP: refusals, nonsense, silence") {
  for (std::uint16_t code = 2; code <= 5; ++code) {
    home h(only(protocol::nat_pmp));
    h.start();
    h.receive(nat_pmp_address(outside, 100));
    h.receive(nat_pmp_mapped(inside.port, 51000, 3600, 100, code));
    CHECK(h.mapped.empty());
    REQUIRE(h.refused.size() == 1);
    CHECK(h.refused[0].reason == nat_pmp::explain(static_cast<nat_pmp::result>(code)));
  }
  home odd(only(protocol::nat_pmp));
  odd.start();
  odd.receive(nat_pmp_address(*parse_address("127.0.0.1"), 100));
  CHECK(odd.answered.size() == 1);
  CHECK_FALSE(odd.answered[0].external);
  CHECK(odd.requests(0).size() == 1);  // no mapping is asked of it
  home silent(only(protocol::nat_pmp));
  silent.start();
  silent.advance(1h);
  CHECK(silent.requests(0).size() == 9);  // RFC 6886, 3.1
  CHECK_FALSE(silent.mapper.next_timeout());
}

TEST_CASE("NAT-PMP: an external address that changes moves the mapping") {
  home h(only(protocol::nat_pmp));
  h.start();
  h.receive(nat_pmp_address(outside, 100));
  h.receive(nat_pmp_mapped(inside.port, 51000, 3600, 100));
  h.advance(1800s);
  h.receive(nat_pmp_address(*parse_address("203.0.113.99"), 1900));
  REQUIRE(h.mapped.size() == 2);
  CHECK(to_string(h.mapped[1].external) == "203.0.113.99:51000");
  CHECK(to_string(*h.answered.back().external) == "203.0.113.99");
}

TEST_CASE("a PCP-only gateway, and an ICMP error") {
  home h;
  h.start();
  h.receive(from_hex("02800001 00000708 00000064 000000000000000000000000"));
  h.advance(10s);
  CHECK(h.requests(0).size() == 1);
  home shut;
  shut.start();
  shut.mapper.handle_send_failure({transport::udp, inside, {router, server_port}}, shut.now);
  shut.drain();
  shut.advance(1h);
  CHECK(shut.requests(2).size() == 1);
  CHECK(shut.requests(0).size() == 1);
}

TEST_CASE("IPv6: a pinhole by PCP, and no NAT-PMP") {
  home h;
  h.start(inside6, router6);
  CHECK(h.requests(0).empty());
  h.receive({router6, server_port}, pcp_answer(h.pcp_request(), inside6, 3600, 1), inside6);
  REQUIRE(h.mapped.size() == 1);
  CHECK(h.mapped[0].external == inside6);
  CHECK_FALSE(h.answered[0].external);  // it is not the router's
}

TEST_CASE("release: silence ends it within two seconds") {
  home h(only(protocol::pcp));
  h.start();
  grant_pcp(h);
  h.mapper.release(h.now);
  h.drain();
  CHECK_FALSE(h.mapper.released());
  h.advance(2s);
  CHECK(h.mapper.released());
  REQUIRE(h.requests(2).size() == 4);
  for (std::size_t i = 1; i < 4; ++i) CHECK(load_be<std::uint32_t>(h.requests(2)[i], 4) == 0);
  CHECK_FALSE(h.mapper.next_timeout());
}

TEST_CASE("release: an answer that was on its way is not taken for its confirmation") {
  home h(only(protocol::pcp));
  h.start();
  grant_pcp(h);
  h.advance(1800s);
  const auto renewal = h.pcp_request();
  h.mapper.release(h.now);
  h.drain();
  h.receive(pcp_answer(renewal, external, 3600, 1900));
  CHECK_FALSE(h.mapper.released());
  h.receive(pcp_answer(renewal, external, 0, 1900));
  CHECK(h.mapper.released());
}

TEST_CASE("release: a gateway that has never answered is told once, and nobody waits") {
  home h;
  h.start();
  h.mapper.release(h.now);
  h.drain();
  CHECK(h.mapper.released());
  REQUIRE(h.requests(2).size() == 2);
  CHECK(load_be<std::uint32_t>(h.requests(2)[1], 4) == 0);
  CHECK_FALSE(h.mapper.next_timeout());
}

TEST_CASE("limits: pairs, events, datagrams not taken") {
  mapper_config config;
  config.max_pairs = 3;
  config.max_events = 4;
  config.max_outbox = 5;
  home h(config);
  for (std::uint16_t port = 1; port < 10; ++port) {
    h.mapper.set_gateways({inside.ip, port}, {router}, h.now);
  }
  h.drain();
  CHECK(h.sent.size() == 5);
  CHECK(h.mapper.mappings().empty());
  h.sent.clear();
  for (int i = 0; i < 100; ++i) {
    h.now += 1s;
    h.mapper.handle_timeout(h.now);
  }
  h.drain();
  CHECK(h.sent.size() == 5);
}

TEST_CASE("a gateway that is replaced: its mapping goes, the other is asked") {
  home h(only(protocol::pcp));
  h.start();
  grant_pcp(h);
  h.start(inside, *parse_address("192.168.1.254"));
  CHECK(h.unmapped.size() == 1);
  CHECK(to_string(h.sent.back().via.remote) == "192.168.1.254:5351");
  const auto before = h.sent.size();
  h.start(inside, *parse_address("192.168.1.254"));
  CHECK(h.sent.size() == before);
  h.mapper.remove(inside, h.now);
  h.drain();
  CHECK_FALSE(h.mapper.next_timeout());
}
