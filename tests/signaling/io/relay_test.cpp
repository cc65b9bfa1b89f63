// The embedded TURN server of the real process, spoken to over sockets.

#include <boost/system/system_error.hpp>

#include "stun/message.hpp"
#include "stun/turn/channel_data.hpp"
#include "tests/attempts.hpp"
#include "tests/check.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"
#include "tests/signaling/io/turn_user.hpp"

namespace nat::test {
namespace {

namespace attr = stun::attr;
using stun::method;

server_process relay(std::vector<std::string> more) {
  ::setenv("TURN_SECRET", "north", 1);
  more.insert(more.end(), {"--relay-allow", "127.0.0.1/32"});
  return server_process(std::move(more));
}

TEST_CASE("a client, its relayed address and a peer, on every number of loops") {
  const auto server = relay({"--threads", "3"});
  for (int client = 0; client < 6; ++client) {
    turn_user al(server.stun, "al", "north");
    const auto allocated = al.allocate();
    CAPTURE(turn_user::code(allocated));
    const auto relayed = stun::message_view::parse(allocated)->get<attr::xor_relayed_address>();
    REQUIRE(relayed);
    CHECK(relayed->ip == server.stun.ip);
    CHECK(relayed->port >= 49152);
    udp_end peer;
    const auto bound = al.ask(method::channel_bind, [&](auto& w) {
      w.template put<attr::channel_number>(0x4001).template put<attr::xor_peer_address>(
          peer.local());
    });
    CHECK(turn_user::code(bound) == 0);
    std::array<std::byte, 64> buffer;
    al.end.send(server.stun,
                *turn::write_channel_data(buffer, 0x4001, as_bytes("to the peer"), false));
    endpoint from;
    CHECK(as_text(peer.receive(&from)) == "to the peer");
    CHECK(from == *relayed);
    peer.send(*relayed, as_bytes("and back"));
    const auto back = al.end.receive();
    const auto data = turn::parse_channel_data(back);
    REQUIRE(data);
    CHECK(data->number == 0x4001);
    CHECK(as_text(data->payload) == "and back");
  }
}

TEST_CASE("from one relayed address to another, whichever loops have them") {
  ::setenv("TURN_SECRET", "north", 1);
  std::vector<std::string> options{"--threads", "3"};
  // As behind a 1:1 NAT: nothing on this machine has that address.
  SUBCASE("as bound") {}
  SUBCASE("as announced") {
    options.insert(options.end(), {"--external-address", "192.0.2.9"});
  }
  const server_process server(options);
  for (const auto* there : {"127.0.0.2:0", "127.0.0.3:0", "127.0.0.4:0", "127.0.0.5:0"}) {
    CAPTURE(there);
    turn_user al(server.stun, "al", "north"), bo(server.stun, "bo", "north", there);
    const auto als = al.relayed(), bos = bo.relayed();
    al.bind(0x4001, bos);
    bo.bind(0x4002, als);
    al.send(0x4001, "from al");
    CHECK(bo.receive(0x4002) == "from al");
    bo.send(0x4002, "from bo");
    CHECK(al.receive(0x4001) == "from bo");
  }
}

bool is_taken(const endpoint& at) {
  try {
    const udp_end probe(to_string(at).c_str());
    return false;
  } catch (const boost::system::system_error&) {
    return true;
  }
}

TEST_CASE("both ports of a pair are one client's, whichever loop it has") {
  const auto server = relay({"--threads", "3"});
  for (const auto* at : {"127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0", "127.0.0.4:0"}) {
    CAPTURE(at);
    attempt([&] {
      turn_user even(server.stun, "al", "north", at), odd(server.stun, "al", "north", at);
      const auto reserved = even.ask(method::allocate, [](auto& w) {
        w.template put<attr::requested_transport>(17).template put<attr::even_port>(true);
      });
      const auto first = *stun::message_view::parse(reserved);
      const auto token = first.get<attr::reservation_token>();
      REQUIRE(token);
      const auto redeemed = odd.ask(method::allocate, [&](auto& w) {
        w.template put<attr::requested_transport>(17).template put<attr::reservation_token>(*token);
      });
      auto next = *first.get<attr::xor_relayed_address>();
      ++next.port;
      if (turn_user::code(redeemed) == 508 && is_taken(next)) {
        throw spoiled{"another program has the odd port"};
      }
      CHECK(stun::message_view::parse(redeemed)->get<attr::xor_relayed_address>() == next);
    });
  }
}

TEST_CASE("RFC 5780: a second address, and answers from each of the four sockets") {
  const server_process server({"--stun-alternate", "127.0.0.2:0", "--threads", "2"});
  seeded_random random{1};
  udp_end asker;
  const auto ask = [&](const endpoint& to, stun::change_value change, endpoint& from) {
    std::array<std::byte, 64> buffer;
    stun::message_writer w(buffer, stun::binding_request, stun::make_transaction_id(random));
    asker.send(to, *w.put<attr::change_request>(change).finish());
    return asker.receive(&from);
  };
  endpoint from;
  const auto first = ask(server.stun, {false, false}, from);
  CHECK(from == server.stun);
  const auto view = *stun::message_view::parse(first);
  CHECK(view.get<attr::xor_mapped_address>() == asker.local());
  CHECK(view.get<attr::response_origin>() == server.stun);
  const auto other = view.get<attr::other_address>();
  REQUIRE(other);
  CHECK(other->ip == *parse_address("127.0.0.2"));
  CHECK(server.ready_text().contains("\"stun_alternate\":[\"" + to_string(*other) + "\"]"));
  for (const auto& at : {server.stun, endpoint{server.stun.ip, other->port},
                         endpoint{other->ip, server.stun.port}, *other}) {
    for (const bool ip : {false, true}) {
      for (const bool port : {false, true}) {
        const auto answer = ask(at, {ip, port}, from);
        CHECK(stun::message_view::parse(answer)->type() == stun::binding_success);
        const auto& there = server.stun;
        CHECK(from.ip == ((at.ip == there.ip) == ip ? other->ip : there.ip));
        CHECK(from.port == ((at.port == there.port) == port ? other->port : there.port));
      }
    }
  }
}

TEST_CASE("what is relayed nowhere: other programs on the server, wrong secrets, no TURN at all") {
  SUBCASE("the machine's own addresses, by default") {
    ::setenv("TURN_SECRET", "north", 1);
    const server_process server;
    turn_user al(server.stun, "al", "north");
    REQUIRE(turn_user::code(al.allocate()) == 0);
    // 127.0.0.1 is this very machine: permitted, since relayed ports are there, and reached at
    // those alone.
    udp_end victim;
    const auto bound = al.ask(method::channel_bind, [&](auto& w) {
      w.template put<attr::channel_number>(0x4001).template put<attr::xor_peer_address>(
          victim.local());
    });
    CHECK(turn_user::code(bound) == 0);
    std::array<std::byte, 64> buffer;
    al.end.send(server.stun, *turn::write_channel_data(buffer, 0x4001, as_bytes("evil"), false));
    const auto other = al.ask(method::create_permission, [&](auto& w) {
      w.template put<attr::xor_peer_address>(*parse_endpoint("10.1.2.3:5"));
    });
    CHECK(turn_user::code(other) == 403);
    // Answered behind the datagram above: had that been relayed, it would be here.
    udp_end honest;
    honest.send(victim.local(), as_bytes("first"));
    CHECK(as_text(victim.receive()) == "first");
  }
  SUBCASE("a wrong secret") {
    const auto server = relay({});
    turn_user mallory(server.stun, "mallory", "south");
    CHECK(turn_user::code(mallory.allocate()) == 401);
  }
  SUBCASE("--no-turn: Binding alone") {
    const server_process server({"--no-turn"});
    udp_end asker;
    std::array<std::byte, 64> buffer;
    seeded_random random{1};
    const auto send = [&](method m) {
      stun::message_writer w(buffer, {m, stun::kind::request}, stun::make_transaction_id(random));
      asker.send(server.stun, *w.finish());
    };
    send(method::allocate);
    send(method::binding);
    const auto answer = asker.receive();
    CHECK(stun::message_view::parse(answer)->type() == stun::binding_success);
  }
}

}  // namespace
}  // namespace nat::test
