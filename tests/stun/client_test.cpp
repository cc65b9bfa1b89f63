#include "stun/client.hpp"

#include <array>
#include <string>
#include <vector>

#include "stun/server.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::stun;
using namespace std::chrono_literals;
using nat::test::from_hex;

namespace {

constexpr time_point start{100s};
const path udp{transport::udp, *parse_endpoint("192.168.1.2:5000"),
               *parse_endpoint("198.51.100.1:3478")};
const endpoint outside = *parse_endpoint("203.0.113.9:40112");

template <class Event>
Event expect(client& c) {
  const auto event = c.poll_event();
  REQUIRE(event);
  REQUIRE(std::holds_alternative<Event>(*event));
  CHECK_FALSE(c.poll_event());
  CHECK_FALSE(c.poll_transmit());
  CHECK_FALSE(c.next_timeout());
  return std::get<Event>(*event);
}

// The answer of a server that puts in what `add` says.
template <class Add>
bytes respond(byte_view request, message_type type, Add add) {
  std::array<std::byte, 1024> room;
  message_writer writer(room, type, message_view::parse(request)->id());
  add(writer);
  return to_bytes(*writer.finish());
}

struct odd {  // an attribute that nobody knows
  static constexpr std::uint16_t type = 0x7f00;
  using value = byte_view;
};

struct fixture {
  nat::test::seeded_random random{};
  client c{{.server = udp, .timing = {}, .software = "a test"}, random, start};
  transmit first = *c.poll_transmit();
};

}  // namespace

TEST_CASE_FIXTURE(fixture,
                  "an answer at the first try: the mapped address and an exact round trip") {
  CHECK(first.via == udp);
  CHECK_FALSE(c.poll_transmit());
  const auto request = message_view::parse(first.data);
  REQUIRE(request);
  CHECK(request->type() == binding_request);
  CHECK(request->get<attr::software>() == "a test");
  std::array<std::byte, max_binding_answer> room;
  CHECK(c.handle_datagram(udp, *answer(first.data, outside, room), start + 30ms));
  const auto got = expect<binding_answer>(c);
  CHECK(got.mapped == outside);
  CHECK(got.xored);
  CHECK(got.from == udp.remote);
  CHECK(got.rtt == 30ms);
  CHECK(got.sends == 1);
  // The duplicate is nobody's.
  CHECK_FALSE(c.handle_datagram(udp, *answer(first.data, outside, room), start + 31ms));
}

TEST_CASE_FIXTURE(fixture, "the same request again until it gives up") {
  std::vector<duration> sends;
  while (const auto next = c.next_timeout()) {
    c.handle_timeout(*next - 1ns);
    CHECK_FALSE(c.poll_transmit());
    c.handle_timeout(*next);
    if (const auto again = c.poll_transmit()) {
      CHECK(again->data == first.data);
      sends.push_back(*next - start);
    }
  }
  CHECK(sends == std::vector<duration>{500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms});
  CHECK(expect<binding_failure>(c).why == binding_failure::cause::no_answer);
  c.handle_timeout(start + 1h);
  CHECK_FALSE(c.poll_event());
}

TEST_CASE_FIXTURE(fixture, "an answer after a retransmission says so") {
  c.handle_timeout(start + 500ms);
  CHECK(c.poll_transmit());
  std::array<std::byte, max_binding_answer> room;
  CHECK(c.handle_datagram(udp, *answer(first.data, outside, room), start + 600ms));
  const auto got = expect<binding_answer>(c);
  CHECK(got.sends == 2);
  CHECK(got.rtt == 600ms);
}

TEST_CASE_FIXTURE(fixture, "MAPPED-ADDRESS alone, and XOR-MAPPED-ADDRESS before it") {
  const auto old = respond(first.data, binding_success, [](auto& w) {
    w.template put<attr::mapped_address>(outside).template put<attr::software>("old");
  });
  const auto both = respond(first.data, binding_success, [](auto& w) {
    w.template put<attr::mapped_address>(udp.local).template put<attr::xor_mapped_address>(outside);
  });
  client other = c;
  CHECK(c.handle_datagram(udp, old, start));
  const auto got = expect<binding_answer>(c);
  CHECK(got.mapped == outside);
  CHECK_FALSE(got.xored);
  CHECK(got.software == "old");
  CHECK(other.handle_datagram(udp, both, start));
  CHECK(expect<binding_answer>(other).mapped == outside);
}

TEST_CASE_FIXTURE(fixture, "errors: the code, the words, and where else to ask") {
  client other = c;
  const auto raw = respond(first.data, binding_error, [](auto& w) {
    w.template put<attr::error_code>({300, "Try Alternate"});
    w.template put<attr::alternate_server>(outside);
  });
  CHECK(c.handle_datagram(udp, raw, start));
  const auto got = expect<binding_failure>(c);
  CHECK(got.why == binding_failure::cause::refused);
  CHECK(got.code == 300);
  CHECK(got.reason == "Try Alternate");
  CHECK(got.alternate == outside);
  const auto refused = respond(first.data, binding_error, [](auto& w) {
    w.template put<attr::error_code>({400, ""});
    w.template put<attr::alternate_server>(outside);
  });
  CHECK(other.handle_datagram(udp, refused, start));
  const auto again = expect<binding_failure>(other);
  CHECK(again.code == 400);
  CHECK_FALSE(again.alternate);
}

TEST_CASE_FIXTURE(fixture, "answers that can't be used") {
  const auto none = [](auto&) {};
  const auto unknown = [](auto& w) {
    w.template put<attr::xor_mapped_address>(outside);
    w.template put<odd>({});
  };
  for (const auto& raw :
       {respond(first.data, binding_success, none), respond(first.data, binding_error, none),
        respond(first.data, binding_success, unknown)}) {
    client other = c;
    CHECK(other.handle_datagram(udp, raw, start));
    CHECK(expect<binding_failure>(other).why == binding_failure::cause::unusable_answer);
  }
}

TEST_CASE_FIXTURE(fixture, "what is not its answer is handed back") {
  std::array<std::byte, max_binding_answer> room;
  const auto good = to_bytes(*answer(first.data, outside, room));
  auto other_id = good;
  other_id[8] ^= std::byte{1};
  CHECK_FALSE(c.handle_datagram(udp, first.data, start));  // our own request, reflected
  CHECK_FALSE(c.handle_datagram(udp, from_hex("16feff"), start));
  CHECK_FALSE(c.handle_datagram(udp, {}, start));
  CHECK_FALSE(c.handle_datagram({transport::tcp, udp.local, udp.remote}, good, start));
  std::array<std::byte, 64> out;
  nat::test::seeded_random strange(99);
  CHECK_FALSE(c.handle_datagram(
      udp, *message_writer(out, binding_success, make_transaction_id(strange)).finish(), start));
  CHECK_FALSE(c.poll_event());
  CHECK(c.handle_datagram(udp, good, start));
}

namespace {

// A server that asks for "user" and "pass" of example.org.
struct guarded {
  long_term_key key = make_long_term_key(password_algorithm::md5, "user", "example.org", "pass");
  std::string nonce = "n1";

  [[nodiscard]] bytes refuse(byte_view request, int code) const {
    return respond(request, binding_error, [&](auto& w) {
      w.template put<attr::error_code>({code, "no"});
      w.template put<attr::realm>("example.org").template put<attr::nonce>(nonce);
    });
  }
  [[nodiscard]] bytes serve(byte_view request) const {
    const auto view = message_view::parse(request);
    REQUIRE(view);
    if (!view->has<attr::message_integrity>()) return refuse(request, 401);
    if (view->get<attr::nonce>() != nonce) return refuse(request, 438);
    if (!view->authenticate(key.view())) return refuse(request, 401);
    std::array<std::byte, 256> room;
    return to_bytes(*message_writer(room, binding_success, view->id())
                         .put<attr::xor_mapped_address>(outside)
                         .finish_signed(key.view()));
  }
};

struct guarded_fixture {
  nat::test::seeded_random random{};
  guarded server{};
  client make(const char* password, transport proto = transport::udp) {
    const path over{proto, udp.local, udp.remote};
    return client({.server = over, .timing = {}, .username = "user", .password = password}, random,
                  start);
  }
};

}  // namespace

TEST_CASE_FIXTURE(guarded_fixture, "credentials: asked for, given, and the answer verified") {
  auto c = make("pass");
  const auto first = c.poll_transmit();
  CHECK(c.handle_datagram(udp, server.serve(first->data), start + 10ms));
  auto second = c.poll_transmit();
  REQUIRE(second);
  CHECK(message_view::parse(second->data)->id() != message_view::parse(first->data)->id());
  // The nonce changes meanwhile.
  server.nonce = "n2";
  CHECK(c.handle_datagram(udp, server.serve(second->data), start + 20ms));
  second = c.poll_transmit();
  REQUIRE(second);
  CHECK(c.handle_datagram(udp, server.serve(second->data), start + 50ms));
  const auto got = expect<binding_answer>(c);
  CHECK(got.mapped == outside);
  CHECK(got.rtt == 30ms);  // of the last request
}

TEST_CASE_FIXTURE(guarded_fixture, "credentials: wrong ones are refused at the second 401") {
  auto c = make("wrong");
  CHECK(c.handle_datagram(udp, server.serve(c.poll_transmit()->data), start));
  CHECK(c.handle_datagram(udp, server.serve(c.poll_transmit()->data), start));
  const auto got = expect<binding_failure>(c);
  CHECK(got.why == binding_failure::cause::refused);
  CHECK(got.code == 401);
}

TEST_CASE_FIXTURE(guarded_fixture, "credentials: none given, the 401 is the answer") {
  client c({.server = udp, .timing = {}}, random, start);
  CHECK(c.handle_datagram(udp, server.serve(c.poll_transmit()->data), start));
  CHECK(expect<binding_failure>(c).code == 401);
}

TEST_CASE_FIXTURE(guarded_fixture, "credentials: an answer that does not know them never came") {
  for (const auto proto : {transport::udp, transport::tcp}) {
    auto c = make("pass", proto);
    const path over{proto, udp.local, udp.remote};
    CHECK(c.handle_datagram(over, server.serve(c.poll_transmit()->data), start));
    const auto request = c.poll_transmit();
    REQUIRE(request);
    std::array<std::byte, max_binding_answer> room;
    CHECK(c.handle_datagram(over, *answer(request->data, udp.local, room), start));
    if (proto == transport::udp) {
      client waits = c;
      while (const auto next = waits.next_timeout()) {
        waits.handle_timeout(*next);
        (void)waits.poll_transmit();
      }
      CHECK(expect<binding_failure>(waits).why == binding_failure::cause::not_authentic);
      CHECK(c.handle_datagram(over, server.serve(request->data), start));
      CHECK(expect<binding_answer>(c).mapped == outside);
    } else {
      CHECK(expect<binding_failure>(c).why == binding_failure::cause::not_authentic);
    }
  }
}

TEST_CASE_FIXTURE(guarded_fixture, "credentials: names that no attribute can hold") {
  client c({.server = udp, .timing = {}, .username = std::string(764, 'u'), .password = "p"},
           random, start);
  CHECK(c.handle_datagram(udp, server.serve(c.poll_transmit()->data), start));
  CHECK(expect<binding_failure>(c).why == binding_failure::cause::refused);
}

TEST_CASE("over a stream: sent once, and its end is an answer") {
  nat::test::seeded_random random;
  const path tcp{transport::tcp, udp.local, udp.remote};
  client waits({.server = tcp, .timing = {}, .software = {}, .fingerprint = false}, random, start);
  CHECK(waits.poll_transmit()->data.size() == 20);
  CHECK(waits.next_timeout() == start + 39500ms);
  client closes = waits;
  waits.handle_timeout(start + 39500ms);
  CHECK_FALSE(waits.poll_transmit());
  CHECK(expect<binding_failure>(waits).why == binding_failure::cause::no_answer);
  closes.handle_stream_closed(start + 1s);
  CHECK(expect<binding_failure>(closes).why == binding_failure::cause::connection_closed);
  closes.handle_stream_closed(start + 1s);
  CHECK_FALSE(closes.poll_event());
}
