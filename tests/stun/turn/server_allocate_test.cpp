// Allocate and Refresh: families, ports, reservations, lifetimes, quotas.

#include "tests/stun/turn/server_harness.hpp"

using namespace nat;
using namespace nat::test;

namespace {

const path client = server_harness::from(5000);

std::uint32_t lifetime_of(const answer& a) {
  return *a.view().get<attr::lifetime>();
}
endpoint relayed_of(const answer& a, std::size_t n = 0) {
  return *a.view().get_nth<attr::xor_relayed_address>(n);
}

turn::server_config small_pool(std::uint16_t low, std::uint16_t high) {
  auto c = server_harness::default_config();
  c.limits.lowest_port = low;
  c.limits.highest_port = high;
  return c;
}

}  // namespace

TEST_CASE_FIXTURE(server_harness, "an allocation has an address of the server, in the port range") {
  const auto got = allocate(client);
  REQUIRE(got->success);
  CHECK(relayed_of(*got).ip == server_v4.ip);
  CHECK(relayed_of(*got).port >= 49152);
  CHECK(got->view().get<attr::xor_mapped_address>() == client.remote);
  CHECK(lifetime_of(*got) == 600);
  REQUIRE(relays.size() == 1);
  CHECK(relays.begin()->second == relayed_of(*got));
  CHECK(server.counters().allocations == 1);
}

TEST_CASE("behind a 1:1 NAT the announced address is told, the other is bound") {
  auto c = server_harness::default_config();
  c.v4 = turn::relay_address{*parse_address("10.0.0.5"), *parse_address("198.51.100.1")};
  server_harness h(c);
  const auto got = h.allocate(client);
  CHECK(relayed_of(*got).ip == server_v4.ip);
  CHECK(h.relays.begin()->second.ip == *parse_address("10.0.0.5"));
}

TEST_CASE_FIXTURE(server_harness,
                  "a retransmitted Allocate gets the same answer, another one 437") {
  challenge(client);
  const auto wire = request(method::allocate,
                            [](stun::message_writer& w) { w.put<attr::requested_transport>(17); });
  const auto first = exchange(client, wire), again = exchange(client, wire);
  REQUIRE(first->success);
  CHECK(first->wire == again->wire);
  CHECK(server.counters().created == 1);
  CHECK(allocate(client)->code == 437);
  CHECK(server.counters().allocations == 1);
}

TEST_CASE_FIXTURE(server_harness, "what is asked for must be UDP, and there") {
  CHECK(ask(client, method::allocate)->code == 400);
  CHECK(ask(client, method::allocate, [](auto& w) {
          w.template put<attr::requested_transport>(6);
        })->code == 442);
  CHECK(server.counters().allocations == 0);
}

TEST_CASE_FIXTURE(server_harness, "families: IPv4, IPv6, both, and none that does not exist") {
  SUBCASE("IPv6") {
    const auto got =
        allocate(client, [](auto& w) { w.template put<attr::requested_address_family>(2); });
    REQUIRE(got->success);
    CHECK_FALSE(relayed_of(*got).ip.v4);
    CHECK(permit(client, peer_v4)->code == 443);
    CHECK(permit(client, peer_v6)->success);
  }
  SUBCASE("both") {
    const auto got =
        allocate(client, [](auto& w) { w.template put<attr::additional_address_family>(2); });
    REQUIRE(got->success);
    CHECK(relayed_of(*got, 0).ip.v4);
    CHECK_FALSE(relayed_of(*got, 1).ip.v4);
    CHECK(relays.size() == 2);
    CHECK(permit(client, peer_v4)->success);
    CHECK(permit(client, peer_v6)->success);
    // Refresh with a lifetime of 0 ends one family, then the other.
    const auto end = [&](std::uint8_t family) {
      return ask(client, method::refresh, [&](stun::message_writer& w) {
        w.put<attr::lifetime>(0).put<attr::requested_address_family>(family);
      });
    };
    CHECK(end(2)->success);
    CHECK(relays.size() == 1);
    CHECK(end(2)->code == 443);
    CHECK(end(1)->success);
    CHECK(relays.empty());
    CHECK(server.counters().allocations == 0);
  }
  SUBCASE("both, but the second can't be opened") {
    busy_ports = [](const endpoint& e) { return !e.ip.v4; };
    const auto got =
        allocate(client, [](auto& w) { w.template put<attr::additional_address_family>(2); });
    REQUIRE(got->success);
    CHECK_FALSE(got->view().get_nth<attr::xor_relayed_address>(1).has_value());
    CHECK(relays.size() == 1);
  }
  SUBCASE("an unknown one") {
    CHECK(allocate(client, [](auto& w) {
            w.template put<attr::requested_address_family>(7);
          })->code == 440);
  }
  SUBCASE("IPv4 as an additional one") {
    CHECK(allocate(client, [](auto& w) {
            w.template put<attr::additional_address_family>(1);
          })->code == 400);
  }
  SUBCASE("requested and additional together") {
    CHECK(allocate(client, [](auto& w) {
            w.template put<attr::requested_address_family>(1)
                .template put<attr::additional_address_family>(2);
          })->code == 400);
  }
}

TEST_CASE("a server without IPv6 says so") {
  auto c = server_harness::default_config();
  c.v6.reset();
  server_harness h(c);
  CHECK(h.allocate(client, [](auto& w) {
           w.template put<attr::requested_address_family>(2);
         })->code == 440);
  // An additional family that is not there is left out.
  CHECK(h.allocate(client, [](auto& w) {
           w.template put<attr::additional_address_family>(2);
         })->success);
}

TEST_CASE_FIXTURE(server_harness, "lifetimes are kept within bounds") {
  const auto asking = [&](std::uint16_t port, std::uint32_t seconds) {
    const auto got =
        allocate(from(port), [&](stun::message_writer& w) { w.put<attr::lifetime>(seconds); });
    return lifetime_of(*got);
  };
  CHECK(asking(1, 0) == 600);
  CHECK(asking(2, 60) == 600);
  CHECK(asking(3, 1200) == 1200);
  CHECK(asking(4, 0xffffffff) == 3600);
  CHECK(lifetime_of(*refresh(from(1), 1)) == 600);
  CHECK(lifetime_of(*refresh(from(1), 7200)) == 3600);
}

TEST_CASE_FIXTURE(server_harness, "what is not refreshed expires, and its port is free again") {
  REQUIRE(allocate(client)->success);
  wait(599s);
  CHECK(server.counters().allocations == 1);
  REQUIRE(refresh(client, 600)->success);
  wait(599s);
  CHECK(server.counters().allocations == 1);
  wait(1s);
  CHECK(server.counters().allocations == 0);
  CHECK(server.counters().expired == 1);
  CHECK(relays.empty());
  CHECK(refresh(client, 600)->code == 437);
  CHECK_FALSE(server.next_timeout().has_value());
}

TEST_CASE_FIXTURE(server_harness, "a refresh of 0 ends it") {
  REQUIRE(allocate(client)->success);
  const auto got = refresh(client, 0);
  CHECK(got->success);
  CHECK(lifetime_of(*got) == 0);
  CHECK(server.counters().released == 1);
  CHECK(relays.empty());
}

TEST_CASE_FIXTURE(server_harness, "a TCP client's allocation ends with its connection") {
  const auto tcp = from(5000, "203.0.113.5", transport::tcp);
  REQUIRE(allocate(tcp)->success);
  server.handle_stream_closed(from(5000), now);  // the UDP namesake is another
  CHECK(server.counters().allocations == 1);
  server.handle_stream_closed(tcp, now);
  wait(0s);
  CHECK(server.counters().allocations == 0);
  CHECK(relays.empty());
}

TEST_CASE_FIXTURE(server_harness, "a port that another program has is passed over") {
  int busy = 3;
  busy_ports = [&](const endpoint&) { return busy-- > 0; };
  CHECK(allocate(client)->success);
  CHECK(asked.size() == 4);
  busy_ports = [](const endpoint&) { return true; };
  CHECK(allocate(from(5001))->code == 508);
  CHECK(server.counters().allocations == 1);
}

TEST_CASE("EVEN-PORT, and the port behind it for another allocation") {
  server_harness h(small_pool(50000, 50003));
  const auto reserve = [&](const path& via) {
    return h.allocate(via, [](auto& w) { w.template put<attr::even_port>(true); });
  };
  const auto redeem = [&](const path& via, byte_view token) {
    return h.allocate(via, [&](stun::message_writer& w) { w.put<attr::reservation_token>(token); });
  };
  const auto first = reserve(client);
  REQUIRE(first->success);
  CHECK(relayed_of(*first).port % 2 == 0);
  CHECK(h.relays.size() == 1);
  const auto token = to_bytes(*first->view().get<attr::reservation_token>());
  SUBCASE("redeemed once") {
    const auto second = redeem(server_harness::from(5001), token);
    REQUIRE(second->success);
    CHECK(relayed_of(*second).port == relayed_of(*first).port + 1);
    CHECK(redeem(server_harness::from(5002), token)->code == 508);
    CHECK(h.permit(server_harness::from(5001), peer_v4)->success);
  }
  SUBCASE("not by somebody else") {
    h.user = "brisk-heron";
    h.password = "other";
    CHECK(redeem(server_harness::from(5001), token)->code == 508);
  }
  SUBCASE("not with a guess") {
    CHECK(redeem(server_harness::from(5001), from_hex("0011223344556677"))->code == 508);
  }
  SUBCASE("not after 30 s: the port is free again") {
    h.wait(31s);
    CHECK(h.relays.size() == 1);
    CHECK(redeem(server_harness::from(5001), token)->code == 508);
  }
  SUBCASE("a port that another program has taken meanwhile: none") {
    h.busy_ports = [](const endpoint&) { return true; };
    CHECK(redeem(server_harness::from(5001), token)->code == 508);
    h.busy_ports = [](const endpoint&) { return false; };
    CHECK(reserve(server_harness::from(5001))->success);
    CHECK(h.allocate(server_harness::from(5002))->success);
  }
  SUBCASE("no port leaks: reserve, end, wait, over and over") {
    for (int i = 0; i < 20; ++i) {
      CHECK(h.refresh(client, 0)->success);
      h.wait(31s);
      CHECK(h.relays.empty());
      REQUIRE(reserve(client)->success);
    }
  }
  SUBCASE("when the pairs are used up") {
    CHECK(reserve(server_harness::from(5001))->success);
    CHECK(reserve(server_harness::from(5002))->code == 508);
    CHECK(h.relays.size() == 2);
  }
}

TEST_CASE("EVEN-PORT alone takes one even port") {
  server_harness h(small_pool(50000, 50003));
  const auto even = [&](std::uint16_t port) {
    return h.allocate(server_harness::from(port),
                      [](auto& w) { w.template put<attr::even_port>(false); });
  };
  CHECK(relayed_of(*even(1)).port % 2 == 0);
  CHECK(relayed_of(*even(2)).port % 2 == 0);
  CHECK(even(3)->code == 508);
  CHECK(h.relays.size() == 2);
}

TEST_CASE("a pair of which one port is busy is given up as a pair") {
  server_harness h(small_pool(50000, 50009));
  int calls = 0;
  h.busy_ports = [&](const endpoint&) { return ++calls == 1; };
  CHECK(h.allocate(client, [](auto& w) { w.template put<attr::even_port>(true); })->success);
  CHECK(h.relays.size() == 1);
  CHECK(calls == 2);
}

TEST_CASE("reservations are few for each name, whenever its credentials expire") {
  auto c = server_harness::default_config();
  c.limits.max_reservations_per_name = 4;
  server_harness h(c);
  const auto reserve = [&](std::uint16_t port) {
    h.user = std::to_string(server_harness::start_unix + 1000 + port) + ":anna";
    h.password = turn::rest_password("mint", h.user);
    return h.allocate(server_harness::from(port),
                      [](auto& w) { w.template put<attr::even_port>(true); });
  };
  for (std::uint16_t port = 1; port <= 4; ++port) CHECK(reserve(port)->success);
  CHECK(reserve(5)->code == 508);
  CHECK(h.allocate(server_harness::from(6))->success);
  h.wait(h.server.next_timeout().value() - h.now + 30s);
  CHECK(reserve(7)->success);
}

TEST_CASE("quotas: by name, by address, in all; failures don't count") {
  auto c = server_harness::default_config();
  c.limits.max_allocations_per_name = 3;
  c.limits.max_allocations_per_address = 4;
  c.limits.max_allocations = 6;
  server_harness h(c);
  // Failed requests first: none of them may use anything up.
  h.busy_ports = [](const endpoint&) { return true; };
  for (std::uint16_t port = 100; port < 110; ++port) {
    CHECK(h.allocate(server_harness::from(port))->code == 508);
  }
  h.busy_ports = [](const endpoint&) { return false; };
  for (std::uint16_t port = 1; port <= 3; ++port) {
    CHECK(h.allocate(server_harness::from(port))->success);
  }
  CHECK(h.allocate(server_harness::from(4))->code == 486);
  h.user = "brisk-heron";
  h.password = "other";
  CHECK(h.allocate(server_harness::from(5))->success);
  CHECK(h.allocate(server_harness::from(6))->code == 486);  // the address has four
  CHECK(h.allocate(server_harness::from(7, "203.0.113.9"))->success);
  CHECK(h.allocate(server_harness::from(8, "203.0.113.9"))->success);
  h.user = "1800009999:anna";
  h.password = turn::rest_password("mint", h.user);
  CHECK(h.allocate(server_harness::from(9, "203.0.113.10"))->code == 508);  // six in all
  CHECK(h.server.counters().allocations == 6);
  // One that ends makes room.
  h.user = "quiet-otter";
  h.password = "secret";
  CHECK(h.refresh(server_harness::from(1), 0)->success);
  CHECK(h.allocate(server_harness::from(4))->success);
}

TEST_CASE("two servers with one ledger: ports, quotas and reservations are everybody's") {
  turn::ledger books({.lowest_port = 50000,
                      .highest_port = 50003,
                      .max_allocations = 3,
                      .max_allocations_per_name = 2,
                      .max_allocations_per_address = 10});
  auto c = server_harness::default_config();
  c.books = &books;
  server_harness one(c), two(c);
  const auto first = one.allocate(client, [](auto& w) { w.template put<attr::even_port>(true); });
  REQUIRE(first->success);
  const auto token = to_bytes(*first->view().get<attr::reservation_token>());
  SUBCASE("a token is good at either") {
    const auto second = two.allocate(server_harness::from(5001), [&](stun::message_writer& w) {
      w.put<attr::reservation_token>(token);
    });
    REQUIRE(second->success);
    CHECK(relayed_of(*second).port == relayed_of(*first).port + 1);
  }
  SUBCASE("a name's quota is one") {
    CHECK(two.allocate(server_harness::from(5001))->success);
    CHECK(two.allocate(server_harness::from(5002))->code == 486);
    CHECK(one.refresh(client, 0)->success);
    CHECK(two.allocate(server_harness::from(5002))->success);
  }
  SUBCASE("ports differ") {
    const auto second = two.allocate(server_harness::from(5001));
    REQUIRE(second->success);
    CHECK(relayed_of(*second).port != relayed_of(*first).port);
    CHECK(relayed_of(*second).port != relayed_of(*first).port + 1);
  }
}

TEST_CASE("relayed addresses of two servers reach each other, behind a 1:1 NAT too") {
  turn::ledger books({});
  auto c = server_harness::default_config();
  c.books = &books;
  c.external_v4 = parse_address("203.0.113.200");
  server_harness one(c), two(c);
  const auto far = server_harness::from(5001);
  const auto a = relayed_of(*one.allocate(client)), b = relayed_of(*two.allocate(far));
  CHECK(a.ip == *c.external_v4);
  REQUIRE(one.permit(client, b)->success);
  REQUIRE(two.permit(far, a)->success);
  const auto out = one.send(client, b, "hello");
  const auto* there = std::get_if<turn::to_peer>(&out);
  REQUIRE(there);
  CHECK(there->peer == endpoint{server_v4.ip, b.port});  // where the kernel finds it
  REQUIRE(two.relays.size() == 1);
  const auto in = two.server.handle_peer(two.relays.begin()->first, {server_v4.ip, a.port},
                                         there->data, two.now);
  const auto* back = std::get_if<turn::to_client>(&in);
  REQUIRE(back);
  auto wire = to_bytes(back->header());
  wire.insert(wire.end(), back->data.begin(), back->data.end());
  wire.resize(wire.size() + back->padding);
  const auto message = stun::message_view::parse(wire);
  REQUIRE(message);
  CHECK(message->get<attr::xor_peer_address>() == a);
  // Another program on the machine is no relayed address.
  const auto nowhere = one.send(client, {b.ip, static_cast<std::uint16_t>(b.port ^ 1)}, "hello");
  CHECK(std::holds_alternative<std::monostate>(nowhere));
}

TEST_CASE("relayed addresses of two servers at two addresses of the machine") {
  turn::ledger books({});
  auto c = server_harness::default_config();
  c.books = &books;
  const auto second_address = *parse_address("198.51.100.2");
  c.peers.own = {server_v4.ip, second_address};
  server_harness one(c), two(c);
  auto far = server_harness::from(5001);
  far.local.ip = second_address;
  const auto a = relayed_of(*one.allocate(client)), b = relayed_of(*two.allocate(far));
  CHECK(b.ip == second_address);
  REQUIRE(one.permit(client, b)->success);
  REQUIRE(one.permit(client, a)->success);
  const auto out = one.send(client, b, "hello");
  const auto* there = std::get_if<turn::to_peer>(&out);
  REQUIRE(there);
  CHECK(there->peer == b);
  // The same port of the machine's other address is some other program's.
  const auto beside = one.send(client, {server_v4.ip, b.port}, "hello");
  CHECK(std::holds_alternative<std::monostate>(beside));
}

TEST_CASE("a REST user's quota is that of the name, whatever the expiry") {
  auto c = server_harness::default_config();
  c.limits.max_allocations_per_name = 1;
  server_harness h(c);
  h.user = "1800009999:anna";
  h.password = turn::rest_password("mint", h.user);
  CHECK(h.allocate(client)->success);
  h.user = "1800009998:anna";
  h.password = turn::rest_password("mint", h.user);
  CHECK(h.allocate(server_harness::from(5001))->code == 486);
}

TEST_CASE("a driver that answers late: the answer waits, a retransmission makes nothing new") {
  server_harness h;
  h.challenge(client);
  const auto wire = h.request(
      method::allocate, [](stun::message_writer& w) { w.put<attr::requested_transport>(17); });
  static_cast<void>(h.server.handle_client(client, wire, h.now));
  static_cast<void>(h.server.handle_client(client, wire, h.now));
  CHECK_FALSE(h.server.poll_transmit().has_value());
  const auto first = h.server.poll_event();
  REQUIRE(first);
  CHECK_FALSE(h.server.poll_event().has_value());
  SUBCASE("in time") {
    h.drive(*first);
    CHECK(h.drain(client)->success);
  }
  SUBCASE("after the client has gone: closed at once") {
    h.server.handle_stream_closed(client, h.now);
    h.drive(*first);
    const auto second = h.server.poll_event();
    REQUIRE(second);
    h.drive(*second);
    CHECK(h.relays.empty());
    CHECK(h.server.counters().allocations == 0);
  }
}
