#include "peer-cli/session/link.hpp"

#include "tests/peer-cli/session/two_links.hpp"

using namespace nat;
using namespace nat::session;
using session::test::two_links;
using ms = std::chrono::milliseconds;

TEST_CASE("link: two ends find a path, encrypt it, and a message crosses") {
  two_links net;
  net.introduce();
  net.deliver_answer();
  REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
  const auto opened = net.a.over.open({.label = "pipe"}, net.now);
  REQUIRE(opened);
  CHECK(net.a.over.send(*opened, as_bytes("hello"), true, net.now));
  REQUIRE(net.run_until([&] { return net.b.find<datachannel::message>() != nullptr; }));
  CHECK(as_text(net.b.find<datachannel::message>()->data) == "hello");
  CHECK(net.b.find<datachannel::channel_opened>()->options.label == "pipe");
  CHECK(net.a.find<channel_secured>()->what.peer == net.b.certificate.fingerprint());
  CHECK_FALSE(is_relayed(net.a.find<path_found>()->path));
}

TEST_CASE("link: ready after the round trips that it takes, and no wait besides") {
  two_links net;
  const auto start = net.now;
  net.introduce();
  net.deliver_answer();
  REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
  // 40 ms each: checks 1, DTLS 2, SCTP 2.
  CHECK(net.now - start <= ms{5 * 40 + 20});
  CHECK(*net.a.over.connect_time() <= ms{45});
}

TEST_CASE("link: a ClientHello that overtakes the answer is kept, not lost") {
  two_links net;
  net.introduce();
  const auto start = net.now;
  // b checks and starts DTLS before a has heard of the answer at all.
  net.run_until([] { return false; }, ms{200});
  net.deliver_answer();
  const auto answered = net.now;
  REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
  CHECK(answered - start <= ms{200});
  CHECK(net.now - answered <= ms{260});
}

TEST_CASE("link: DTLS from an address without an authenticated check is dropped") {
  two_links net;
  net.introduce();
  net.deliver_answer();
  const auto record = nat::test::from_hex("16feff0000000000000000000100");
  const path stranger{transport::udp, net.a.address, *parse_endpoint("198.51.100.66:6666")};
  CHECK(net.a.over.handle_datagram(stranger, record, net.now));
  CHECK(net.a.over.unchecked_datagrams() == 1);
  CHECK(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
}

TEST_CASE("link: a fingerprint that was swapped on the way ends it, status 6") {
  two_links net;
  net.introduce([](sdp::description& d) {
    auto& digit = d.fingerprints.front().back();
    digit = digit == '0' ? '1' : '0';
  });
  net.deliver_answer();
  REQUIRE(net.run_until([&] { return net.a.find<failure>() || net.b.find<failure>(); }));
  const auto* const why = net.a.find<failure>() ? net.a.find<failure>() : net.b.find<failure>();
  CHECK(why->status == exit_status::wrong_peer);
  CHECK_FALSE(net.a.find<link_ready>());
  CHECK_FALSE(net.b.find<link_ready>());
}

TEST_CASE("link: a secret that both know is proven before anything else flows") {
  two_links net("swordfish", "swordfish");
  net.introduce();
  net.deliver_answer();
  REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
  CHECK_FALSE(net.a.find<datachannel::message>());  // the proof is not payload
  CHECK_FALSE(net.b.find<datachannel::channel_opened>());
}

TEST_CASE("link: without the right secret no data flows, status 6 on both sides that know one") {
  const std::pair<std::optional<std::string>, std::optional<std::string>> cases[] = {
      {"swordfish", "sardine"}, {"swordfish", std::nullopt}, {std::nullopt, "swordfish"}};
  for (const auto& [left, right] : cases) {
    CAPTURE(left.value_or("none"));
    CAPTURE(right.value_or("none"));
    two_links net(left, right);
    net.introduce();
    net.deliver_answer();
    bool tried = false;
    net.a.on_event = [&](link_event& event) {
      if (!std::holds_alternative<link_ready>(event)) return;
      // An end without a secret believes that all is well, and sends.
      const auto id = net.a.over.open({.label = "pipe"}, net.now);
      tried = id && net.a.over.send(*id, as_bytes("stolen"), true, net.now);
    };
    const auto wrong = [](const failure* why) {
      return why && why->status == exit_status::wrong_peer;
    };
    net.run_until([&] { return wrong(net.a.find<failure>()) && wrong(net.b.find<failure>()); });
    CHECK((!left || wrong(net.a.find<failure>())));
    CHECK((!right || wrong(net.b.find<failure>())));
    CHECK(tried == !left);
    CHECK_FALSE(net.b.find<datachannel::message>());
    CHECK_FALSE(net.a.find<datachannel::message>());
  }
}

TEST_CASE("link: an orderly end reaches the other side") {
  two_links net;
  net.introduce();
  net.deliver_answer();
  REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
  net.a.over.shutdown(net.now);
  const auto start = net.now;
  REQUIRE(net.run_until([&] { return net.a.find<peer_left>() && net.b.find<peer_left>(); }));
  CHECK(net.now - start <= ms{500});
}

TEST_CASE("link: loss delays and does not break it") {
  for (const int percent : {10, 30}) {
    CAPTURE(percent);
    two_links net;
    nat::test::seeded_random dice(static_cast<std::uint64_t>(percent));
    net.drop = [&](byte_view) {
      return random_below(dice, 100) < static_cast<std::uint64_t>(percent);
    };
    net.introduce();
    net.deliver_answer();
    CHECK(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
  }
}

TEST_CASE("link: descriptions that can't be used say why") {
  two_links net;
  auto offer = net.a.over.description();
  offer.fingerprints = {"md2 00"};
  CHECK(net.b.over.set_remote(offer, net.now));
  auto answer = net.b.over.description();
  answer.setup = sdp::setup::actpass;
  CHECK(net.a.over.set_remote(answer, net.now));
}
