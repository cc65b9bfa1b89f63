// Host and server-reflexive candidates, and what two servers tell about a NAT.

#include "ice/gather/mapping.hpp"
#include "ice/gather/relay_policy.hpp"
#include "tests/ice/gather/gather_world.hpp"

using namespace nat;
using namespace nat::test;
using enum ice::candidate_kind;

namespace {

const auto lan = *parse_endpoint("192.168.1.5:4000");
const auto wifi = *parse_endpoint("192.168.7.5:4001");
const auto lan6 = *parse_endpoint("[2001:db8::5]:4000");
constexpr auto server_a = "198.51.100.1:3478";
constexpr auto server_b = "198.51.100.2:3478";

// Keeps the port, one public address.
endpoint behind_nat(const endpoint& base, const endpoint&) {
  return base.ip.v4 ? endpoint{*parse_address("203.0.113.7"), base.port} : base;
}

}  // namespace

TEST_CASE("host candidates are there at once") {
  gather_world w;
  w.gatherer.add_socket(lan, 65535, w.now);
  w.gatherer.add_socket(lan6, 65534, w.now);
  w.run(0ms);
  const auto hosts = w.found(host);
  REQUIRE(hosts.size() == 2);
  CHECK(hosts[0].address == lan);
  CHECK(hosts[0].base == lan);
  CHECK(hosts[0].priority == ice::candidate_priority(host, 65535));
  CHECK(!hosts[0].related);
  CHECK(hosts[0].foundation != hosts[1].foundation);
  w.gatherer.add_socket(lan, 65535, w.now);
  w.run(0ms);
  CHECK(w.found(host).size() == 2);
}

TEST_CASE("places that can't be named are no candidates") {
  gather_world w;
  w.gatherer.add_socket(*parse_endpoint("[fe80::1]:4000"), 10, w.now);
  w.gatherer.add_socket(*parse_endpoint("0.0.0.0:4000"), 10, w.now);
  w.run(1s);
  CHECK(w.log.empty());
}

TEST_CASE("one round trip to the reflexive candidate") {
  gather_world w;
  w.mapped = behind_nat;
  w.stun(server_a);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(1s);
  const auto all = w.all<ice::found>();
  REQUIRE(all.size() == 2);
  const auto& c = all[1].what;
  CHECK(c.kind == server_reflexive);
  CHECK(c.address == *parse_endpoint("203.0.113.7:4000"));
  CHECK(c.base == lan);
  CHECK(c.related == lan);
  CHECK(c.priority == ice::candidate_priority(server_reflexive, 100));
  CHECK(all[1].via == w.stun_url(server_a).url);
  CHECK(all[1].took == 20ms);
  CHECK(w.found_at(server_reflexive) == 20ms);
  CHECK(w.gathered_at() == 20ms);
  CHECK(w.sent == 1);
}

TEST_CASE("a reflexive address that is a host's own is not reported") {
  gather_world w;
  w.stun(server_a);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.run(1s);
  CHECK(w.found(server_reflexive).empty());
  REQUIRE(w.gatherer.mappings().size() == 1);
  CHECK(ice::classify_mapping(w.gatherer.mappings(), lan) == ice::mapping_kind::none);
}

TEST_CASE("all servers from all sockets at once; the first answer is used, the second compared") {
  gather_world w;
  w.stun(server_a).one_way = 30ms;
  w.stun(server_b).one_way = 10ms;
  SUBCASE("endpoint-independent") {
    w.mapped = behind_nat;
  }
  SUBCASE("symmetric") {
    w.mapped = [](const endpoint& base, const endpoint& server) {
      const auto last = std::to_integer<unsigned>(server.ip.octets[3]);
      return endpoint{*parse_address("203.0.113.7"), static_cast<std::uint16_t>(base.port + last)};
    };
  }
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_b), w.now);
  w.gatherer.add_socket(wifi, 90, w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(1s);
  const auto reflexive = w.found(server_reflexive);
  REQUIRE(reflexive.size() == 2);  // one for each socket
  CHECK(w.found_at(server_reflexive) == 20ms);
  CHECK(w.gathered_at() == 60ms);
  CHECK(w.sent == 4);
  CHECK(w.gatherer.mappings().size() == 4);
  const auto symmetric = reflexive[0].address.port != lan.port ? ice::mapping_kind::dependent
                                                               : ice::mapping_kind::independent;
  for (const auto& base : {lan, wifi}) {
    CHECK(ice::classify_mapping(w.gatherer.mappings(), base) == symmetric);
  }
}

TEST_CASE("mapping verdicts") {
  const auto a = *parse_endpoint(server_a), b = *parse_endpoint(server_b);
  const auto out = *parse_endpoint("203.0.113.7:1"), out2 = *parse_endpoint("203.0.113.7:2");
  using ice::classify_mapping;
  using enum ice::mapping_kind;
  CHECK(classify_mapping({}, lan) == unknown);
  CHECK(classify_mapping(std::array{ice::mapping_observation{lan, a, out}}, lan) == unknown);
  CHECK(classify_mapping(std::array{ice::mapping_observation{wifi, a, out}}, lan) == unknown);
  using list = std::array<ice::mapping_observation, 2>;
  CHECK(classify_mapping(list{{{lan, a, out}, {lan, b, out}}}, lan) == independent);
  CHECK(classify_mapping(list{{{lan, a, out}, {lan, b, out2}}}, lan) == dependent);
  CHECK(classify_mapping(list{{{lan, a, out}, {wifi, b, out2}}}, lan) == unknown);
  CHECK(classify_mapping(list{{{lan, a, lan}, {lan, b, lan}}}, lan) == none);
  CHECK(ice::to_string(dependent) == "address-dependent");
}

TEST_CASE("a lost request is sent again after 250 ms") {
  gather_world w;
  w.mapped = behind_nat;
  w.stun(server_a);
  int number = 0;
  w.lose = [&](const transmit&) { return number++ == 0; };
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.run(1s);
  CHECK(w.found_at(server_reflexive) == 270ms);
}

TEST_CASE("a dead server is a line, within nine seconds, and holds up nobody else") {
  gather_world w;
  w.mapped = behind_nat;
  w.stun(server_a).silent = true;
  w.stun(server_b);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_socket(wifi, 90, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.add_server(w.stun_url(server_b), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(9s);
  CHECK(w.found_at(server_reflexive) == 20ms);
  const auto failures = w.all<ice::server_failed>();
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].url == w.stun_url(server_a).url);
  CHECK(failures[0].code == 0);
  CHECK(failures[0].reason == "the server does not answer");
  REQUIRE(w.gathered_at());
  CHECK(*w.gathered_at() < 8500ms);
}

TEST_CASE("sockets that lead nowhere cost nothing") {
  gather_world w;
  w.mapped = behind_nat;
  w.stun(server_a);
  for (std::uint16_t i = 0; i < 3; ++i) {  // bridges, preferred even
    const endpoint bridge{make_v4(0xAC110001U + (i << 16)), 4000};
    w.dead.insert(bridge);
    w.gatherer.add_socket(bridge, static_cast<std::uint16_t>(200 + i), w.now);
  }
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(9s);
  CHECK(w.found_at(server_reflexive) == 20ms);
  CHECK(w.all<ice::server_failed>().empty());  // it did answer, elsewhere
}

TEST_CASE("what the kernel refuses to send ends the wait") {
  gather_world w;
  w.stun(server_a).silent = true;
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(1ms);
  w.gatherer.handle_send_failure({transport::udp, lan, *parse_endpoint(server_a)}, w.now);
  w.run(1ms);
  REQUIRE(w.all<ice::server_failed>().size() == 1);
  CHECK(w.gathered_at() == 1ms);
}

TEST_CASE("an error answer ends the wait and says why") {
  gather_world w;
  w.stun(server_a).stun_error = 500;
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(1s);
  REQUIRE(w.all<ice::server_failed>().size() == 1);
  CHECK(w.all<ice::server_failed>()[0].code == 500);
  CHECK(w.gathered_at() == 20ms);
}

TEST_CASE("300 is followed, from each socket, and not in circles or into places of ours") {
  gather_world w;
  w.mapped = behind_nat;
  auto& first = w.stun(server_a);
  first.stun_error = 300;
  auto& second = w.stun(server_b);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_socket(wifi, 90, w.now);
  SUBCASE("elsewhere") {
    first.stun_alternate = *parse_endpoint(server_b);
    w.gatherer.add_server(w.stun_url(server_a), w.now);
    w.run(1s);
    CHECK(w.found(server_reflexive).size() == 2);
    CHECK(w.gatherer.mappings()[0].server == *parse_endpoint(server_b));
  }
  SUBCASE("in circles") {
    first.stun_alternate = *parse_endpoint(server_b);
    second.stun_error = 300;
    second.stun_alternate = *parse_endpoint(server_a);
    w.gatherer.add_server(w.stun_url(server_a), w.now);
    w.run(60s);
    CHECK(w.all<ice::server_failed>().size() == 1);
    CHECK(w.sent <= 8);
  }
  SUBCASE("into places of ours") {
    for (const auto* inside : {"127.0.0.1:3478", "192.168.1.1:53", "169.254.0.1:80"}) {
      first.stun_alternate = *parse_endpoint(inside);
      w.gatherer.add_server(w.stun_url(server_a), w.now);
      w.run(1s);
    }
    CHECK(w.all<ice::server_failed>().size() == 1);
    CHECK(w.to_strangers.empty());
  }
}

TEST_CASE("which socket asks which server, and who may be relayed to") {
  const auto e = [](const char* t) { return *parse_endpoint(t); };
  CHECK(ice::may_ask(lan, e(server_a)));
  CHECK(!ice::may_ask(lan6, e(server_a)));
  CHECK(!ice::may_ask(e("127.0.0.1:1"), e(server_a)));
  CHECK(ice::may_ask(lan, e("127.0.0.1:3478")));
  CHECK(ice::may_ask(e("127.0.0.1:1"), e("127.0.0.1:3478")));
  CHECK(!ice::may_ask(lan, e("198.51.100.1:0")));
  CHECK(!ice::may_ask(e("0.0.0.0:1"), e(server_a)));

  const auto a = [](const char* t) { return *parse_address(t); };
  for (const auto* peer :
       {"10.0.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1",
        "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"}) {
    CAPTURE(peer);
    CHECK(!ice::may_relay(a("198.51.100.1"), a(peer)));
  }
  CHECK(ice::may_relay(a("198.51.100.1"), a("203.0.113.1")));
  CHECK(ice::may_relay(a("10.0.0.1"), a("192.168.1.1")));
  CHECK(ice::may_relay(a("10.0.0.1"), a("203.0.113.1")));
  CHECK(!ice::may_relay(a("10.0.0.1"), a("127.0.0.1")));
  CHECK(ice::may_relay(a("127.0.0.1"), a("127.0.0.1")));
  CHECK(!ice::may_relay(a("127.0.0.1"), a("0.0.0.0")));
}

TEST_CASE("mappings are kept open, and a mapping that moves is a new candidate") {
  gather_world w;
  std::uint16_t shift = 0;
  w.mapped = [&](const endpoint& base, const endpoint&) {
    return endpoint{*parse_address("203.0.113.7"), static_cast<std::uint16_t>(base.port + shift)};
  };
  auto& server = w.stun(server_a);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.run(61s);
  CHECK(server.bindings == 5);
  CHECK(w.found(server_reflexive).size() == 1);
  shift = 100;
  w.run(15s);
  REQUIRE(w.found(server_reflexive).size() == 2);
  CHECK(w.found(server_reflexive)[1].address.port == 4100);
  w.gatherer.release(w.now);
  w.run(60s);
  CHECK(server.bindings == 6);
  CHECK(!w.gatherer.next_timeout());
}

TEST_CASE(
    "sockets that come later are asked from, even where all others failed; gone ones are not") {
  gather_world w;
  w.mapped = behind_nat;
  w.stun(server_a);
  w.dead.insert(lan);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(9s);
  CHECK(w.all<ice::server_failed>().size() == 1);
  w.gatherer.add_socket(wifi, 90, w.now);
  w.run(1s);
  CHECK(w.found(server_reflexive).size() == 1);
  CHECK(w.all<ice::gathered>().size() == 2);
  w.gatherer.remove_socket(wifi, w.now);
  const auto sent = w.sent;
  w.run(60s);
  CHECK(w.sent == sent);
}

TEST_CASE("a removed socket's requests end with it") {
  gather_world w;
  w.stun(server_a).silent = true;
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(1ms);
  w.gatherer.remove_socket(lan, w.now);
  w.run(1ms);
  CHECK(w.gathered_at());
  CHECK(!w.gatherer.next_timeout());
}

TEST_CASE("limits and servers that can't be asked are said, not swallowed") {
  ice::gather_config config;
  config.max_servers = 4;
  config.max_sockets = 2;
  gather_world w(config);
  w.gatherer.add_socket(lan, 3, w.now);
  w.gatherer.add_socket(wifi, 2, w.now);
  w.gatherer.add_socket(*parse_endpoint("10.0.0.1:1"), 1, w.now);
  w.run(0ms);
  CHECK(w.found(host).size() == 2);
  w.gatherer.add_server(w.stun_url("[2001:db8::1]:3478"), w.now);
  auto over_tcp = w.stun_url(server_a);
  over_tcp.proto = transport::tcp;
  w.gatherer.add_server(over_tcp, w.now);
  w.gatherer.add_server(w.stun_url("0.0.0.0:3478"), w.now);
  w.gatherer.add_server(w.stun_url("198.51.100.1:0"), w.now);
  w.gatherer.add_server(w.stun_url(server_b), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(1s);
  CHECK(w.all<ice::server_failed>().size() == 5);
  CHECK(w.gathered_at());
  CHECK(w.sent == 0);
}

TEST_CASE("answers that were not asked for, from elsewhere or malformed are not ours") {
  gather_world w;
  w.stun(server_a).silent = true;
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  auto request = w.gatherer.poll_transmit();
  REQUIRE(request);
  CHECK(request->data.size() == 20);
  const auto id = stun::message_view::parse(request->data)->id();
  std::array<std::byte, 128> buffer;
  const auto outside = *parse_endpoint("203.0.113.7:4000");
  const auto answer = [&](const endpoint& seen, const stun::transaction_id& to) {
    stun::message_writer out(buffer, stun::binding_success, to);
    return to_bytes(*out.put<stun::attr::xor_mapped_address>(seen).finish());
  };
  const auto good = answer(outside, id);
  auto via = request->via;
  via.remote.port = 1;
  CHECK(!w.gatherer.handle_datagram(via, good, w.now).ours);
  via = request->via;
  via.local = wifi;
  CHECK(!w.gatherer.handle_datagram(via, good, w.now).ours);
  auto other = id;
  other.octets[3] ^= std::byte{1};
  CHECK(!w.gatherer.handle_datagram(request->via, answer(outside, other), w.now).ours);
  CHECK(!w.gatherer.handle_datagram(request->via, answer(endpoint{}, id), w.now).ours);
  CHECK(!w.gatherer.handle_datagram(request->via, answer(lan6, id), w.now).ours);
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    CHECK(!w.gatherer.handle_datagram(request->via, byte_view(good).first(cut), w.now).ours);
  }
  CHECK(w.gatherer.mappings().empty());
  CHECK(w.gatherer.handle_datagram(request->via, good, w.now).ours);
  CHECK(w.gatherer.mappings().size() == 1);
  CHECK(!w.gatherer.handle_datagram(request->via, good, w.now).ours);  // over
}

TEST_CASE("an hour late") {
  gather_world w;
  w.stun(server_a).silent = true;
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.stun_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(1ms);
  w.now += 3600s;
  w.run(60s);
  CHECK(w.sent <= 6);
  CHECK(w.all<ice::server_failed>().size() == 1);
}
