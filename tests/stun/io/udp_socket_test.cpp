// Real sockets on loopback.

#include "stun/io/udp_socket.hpp"

#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <numeric>
#include <vector>

#include "stun/io/send_queue.hpp"
#include "stun/io/sockaddr.hpp"
#include "stun/io/udp_descriptor.hpp"
#include "tests/check.hpp"
#include "tests/stun/io/faults.hpp"
#include "tests/stun/io/loop.hpp"

using namespace nat;
using namespace nat::stun::io;
using nat::test::injected;
using nat::test::run_until;

namespace {

const endpoint any_v4 = *parse_endpoint("127.0.0.1:0");
const endpoint any_v6 = *parse_endpoint("[::1]:0");

bytes filled(std::size_t size, int octet) {
  return bytes(size, static_cast<std::byte>(octet));
}

// A socket, and everything that came to it, cut into datagrams again.
struct receiver {
  receiver(boost::asio::io_context& io, const endpoint& at) : socket(io.get_executor(), at) {
    socket.start([this](const udp_socket::received& r) { take(r); }, [this] { ++idles; },
                 [this](const endpoint& to, int error) { errors.emplace_back(to, error); });
  }
  void take(const udp_socket::received& r) {
    ++callbacks;
    from = r.from;
    destination = r.destination;
    for (auto rest = r.data;;) {
      const auto size = std::min(r.segment_size, rest.size());
      datagrams.push_back(to_bytes(rest.first(size)));
      rest = rest.subspan(size);
      if (rest.empty()) break;
    }
  }

  udp_socket socket;
  endpoint from{};
  address destination{};
  std::vector<bytes> datagrams{};
  std::vector<std::pair<endpoint, int>> errors{};
  int callbacks = 0, idles = 0;
};

struct fixture {
  fixture() { injected() = {}; }
  ~fixture() { injected() = {}; }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;

  boost::asio::io_context io{};
  receiver a{io, any_v4}, b{io, any_v4};

  bool arrived(std::size_t count) {
    return run_until(io, [&] { return b.datagrams.size() >= count; });
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "one datagram over IPv4: where from, where to, and idle after it") {
  a.socket.send(b.socket.local(), as_bytes("hello"));
  CHECK(a.socket.stats().sent == 0);  // queued
  a.socket.flush();
  REQUIRE(arrived(1));
  CHECK(as_text(b.datagrams[0]) == "hello");
  CHECK(b.from == a.socket.local());
  CHECK(b.destination == any_v4.ip);
  CHECK(run_until(io, [&] { return b.idles > 0; }));
  CHECK(a.socket.stats().sent == 1);
  CHECK(b.socket.stats().received == 1);
  CHECK(a.socket.local().port != 0);
}

TEST_CASE_FIXTURE(fixture, "IPv6, and an empty datagram") {
  receiver c(io, any_v6), d(io, any_v6);
  c.socket.send(d.socket.local(), {});
  c.socket.send(d.socket.local(), as_bytes("six"), 0, std::uint8_t{7}, any_v6.ip);
  c.socket.flush();
  REQUIRE(run_until(io, [&] { return d.datagrams.size() == 2; }));
  CHECK(d.datagrams[0].empty());
  CHECK(as_text(d.datagrams[1]) == "six");
  CHECK(d.from == c.socket.local());
}

TEST_CASE_FIXTURE(fixture,
                  "a wildcard socket learns where it was reached, and answers from there") {
  for (const auto* wildcard : {"0.0.0.0:0", "[::]:0"}) {
    receiver all(io, *parse_endpoint(wildcard));
    const bool v4 = all.socket.local().ip.v4;
    const auto place = *parse_address(v4 ? "127.0.0.5" : "::1");
    receiver asker(io, v4 ? any_v4 : any_v6);
    asker.socket.send({place, all.socket.local().port}, as_bytes("who?"));
    asker.socket.flush();
    REQUIRE(run_until(io, [&] { return all.datagrams.size() == 1; }));
    CHECK(all.destination == place);
    all.socket.send(all.from, as_bytes("me"), 0, {}, all.destination);
    all.socket.flush();
    REQUIRE(run_until(io, [&] { return asker.datagrams.size() == 1; }));
    CHECK(asker.from == endpoint{place, all.socket.local().port});
  }
}

TEST_CASE_FIXTURE(fixture, "UDP_SEGMENT out, UDP_GRO in: many datagrams in few calls") {
  bytes data(50 * 1000 + 37);
  nat::test::seeded_random random;
  random.fill(data);
  a.socket.send(b.socket.local(), data, 1000);
  a.socket.flush();
  REQUIRE(arrived(51));
  bytes joined;
  for (const auto& d : b.datagrams) joined.insert(joined.end(), d.begin(), d.end());
  CHECK(joined == data);
  CHECK(b.datagrams[49].size() == 1000);
  CHECK(b.datagrams[50].size() == 37);
  CHECK(b.callbacks < 51);       // the kernel coalesced
  CHECK(injected().calls == 1);  // and segmented
  CHECK(a.socket.stats().sent == 51);
  CHECK(b.socket.stats().received == 51);
}

TEST_CASE_FIXTURE(fixture, "more than one message to the kernel can hold is cut between segments") {
  bytes data(200 * 1200);
  nat::test::seeded_random random;
  random.fill(data);
  a.socket.send(b.socket.local(), data, 1200);
  a.socket.flush();
  REQUIRE(arrived(200));
  bytes joined;
  for (const auto& d : b.datagrams) {
    CHECK(d.size() == 1200);
    joined.insert(joined.end(), d.begin(), d.end());
  }
  CHECK(joined == data);
}

TEST_CASE_FIXTURE(fixture, "datagrams queued one by one leave together and arrive as they were") {
  std::vector<bytes> sent;
  for (const std::size_t size : {100, 100, 100, 40, 100, 200, 200, 200, 200, 1, 1, 0, 5}) {
    sent.push_back(filled(size, static_cast<int>(sent.size())));
    a.socket.send(b.socket.local(), sent.back());
  }
  a.socket.flush();
  REQUIRE(arrived(sent.size()));
  CHECK(b.datagrams == sent);
  CHECK(injected().calls == 1);
}

TEST_CASE_FIXTURE(fixture, "datagrams to several places keep apart") {
  receiver c(io, any_v4);
  for (int i = 0; i < 6; ++i) {
    a.socket.send(i % 2 == 0 ? b.socket.local() : c.socket.local(), filled(50, i));
  }
  a.socket.flush();
  REQUIRE(run_until(io, [&] { return b.datagrams.size() == 3 && c.datagrams.size() == 3; }));
  CHECK(b.datagrams == std::vector{filled(50, 0), filled(50, 2), filled(50, 4)});
  CHECK(c.datagrams == std::vector{filled(50, 1), filled(50, 3), filled(50, 5)});
}

TEST_CASE_FIXTURE(fixture, "a hop limit is for its datagram alone") {
  for (const bool v4 : {true, false}) {
    // A plain socket that is told each datagram's.
    const int fd = ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
    const int on = 1;
    REQUIRE(setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on,
                       sizeof on) == 0);
    auto name = to_socket_address(v4 ? any_v4 : any_v6);
    REQUIRE(::bind(fd, &name.any, name.size) == 0);
    REQUIRE(getsockname(fd, &name.any, &name.size) == 0);
    const auto to = from_socket_address(name.any);

    udp_socket sender(io.get_executor(), v4 ? any_v4 : any_v6);
    for (const std::optional<std::uint8_t> limit : {std::optional<std::uint8_t>{2}, {}, {255}}) {
      sender.send(to, filled(10, 1), 0, limit);
    }
    sender.flush();
    std::vector<int> limits;
    for (int i = 0; i < 3; ++i) {
      std::array<std::byte, 64> data;
      alignas(cmsghdr) std::array<std::byte, 64> control;
      iovec buffer{data.data(), data.size()};
      msghdr header{};
      header.msg_iov = &buffer;
      header.msg_iovlen = 1;
      header.msg_control = control.data();
      header.msg_controllen = control.size();
      REQUIRE(::recvmsg(fd, &header, 0) == 10);
      int limit = 0;
      std::memcpy(&limit, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof limit);
      limits.push_back(limit);
    }
    CHECK(limits == std::vector{2, 64, 255});
    ::close(fd);
  }
}

TEST_CASE_FIXTURE(fixture, "an ICMP error names the destination and costs nobody else anything") {
  for (const auto& at : {any_v4, any_v6}) {
    receiver sender(io, at), target(io, at);
    // Listens to another alone: nobody else gets the port, and who sends there is refused.
    const int elsewhere = open_udp(at, {});
    const auto other = to_socket_address(target.socket.local());
    REQUIRE(::connect(elsewhere, &other.any, other.size) == 0);
    const auto gone = bound_to(elsewhere);
    sender.socket.send(gone, as_bytes("anyone?"));
    sender.socket.flush();
    REQUIRE(run_until(io, [&] { return !sender.errors.empty(); }));
    CHECK(sender.errors[0] == std::pair{gone, ECONNREFUSED});
    // The error of one destination pending while datagrams go to another.
    sender.errors.clear();
    sender.socket.send(gone, as_bytes("again?"));
    sender.socket.flush();
    for (int i = 0; i < 5; ++i) sender.socket.send(target.socket.local(), filled(9, i));
    sender.socket.flush();
    REQUIRE(run_until(io, [&] { return target.datagrams.size() == 5 && !sender.errors.empty(); }));
    CHECK(sender.errors.size() == 1);
    CHECK(sender.errors[0] == std::pair{gone, ECONNREFUSED});
    CHECK(sender.socket.stats().dropped == 0);
    ::close(elsewhere);
  }
}

TEST_CASE_FIXTURE(fixture, "an exceeded hop limit is not reported, other ICMP errors are") {
  const auto far = *parse_endpoint("192.0.2.1:9");
  injected().error_queue = {{far, EHOSTUNREACH, SO_EE_ORIGIN_ICMP, ICMP_TIME_EXCEEDED},
                            {far, EHOSTUNREACH, SO_EE_ORIGIN_ICMP6, 3},
                            {far, ECONNABORTED, SO_EE_ORIGIN_TXSTATUS, 0},
                            {far, EHOSTUNREACH, SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH}};
  b.socket.send(a.socket.local(), as_bytes("wake up"));
  b.socket.flush();
  REQUIRE(run_until(io, [&] { return a.datagrams.size() == 1; }));
  CHECK(a.errors == std::vector{std::pair{far, EHOSTUNREACH}});
}

TEST_CASE_FIXTURE(fixture, "a destination that can't be reached is reported when sending is done") {
  a.socket.send(*parse_endpoint("255.255.255.255:9"), as_bytes("no broadcast"));
  a.socket.send(b.socket.local(), as_bytes("after it"));
  a.socket.flush();
  CHECK(a.errors.empty());  // not in the middle of sending
  REQUIRE(run_until(io, [&] { return !a.errors.empty() && b.datagrams.size() == 1; }));
  CHECK(a.errors[0].second == EACCES);
  CHECK(a.errors[0].first == *parse_endpoint("255.255.255.255:9"));
  CHECK(a.socket.stats().dropped == 1);
  CHECK(a.socket.stats().sent == 1);
}

TEST_CASE_FIXTURE(fixture, "a kernel that can't segment gets the datagrams one by one") {
  for (const int refusal : {EIO, EINVAL}) {
    CAPTURE(refusal);
    injected() = {};
    injected().judge = [&](std::size_t, bool segmented) { return segmented ? refusal : 0; };
    receiver sender(io, any_v4), target(io, any_v4);
    for (int round = 0; round < 3; ++round) {
      sender.socket.send(target.socket.local(), filled(10 * 100 + 1, round), 100);
      sender.socket.flush();
    }
    for (int i = 0; i < 4; ++i) sender.socket.send(target.socket.local(), filled(70, i));
    sender.socket.flush();
    REQUIRE(run_until(io, [&] { return target.datagrams.size() == 37; }));
    CHECK(target.datagrams[0].size() == 100);
    CHECK(target.datagrams[10].size() == 1);
    CHECK(target.datagrams[36] == filled(70, 3));
    CHECK(sender.errors.empty());
    CHECK(sender.socket.stats().sent == 37);
    CHECK(sender.socket.stats().dropped == 0);
  }
}

TEST_CASE_FIXTURE(fixture,
                  "a full kernel buffer at any call: nothing lost, nothing twice, in order") {
  for (std::size_t fail_at = 0; fail_at < 8; ++fail_at) {
    CAPTURE(fail_at);
    injected() = {};
    injected().most_messages = 3;
    injected().sends.assign(fail_at, 0);
    injected().sends.push_back(EAGAIN);
    receiver sender(io, any_v4), target(io, any_v4);
    std::vector<bytes> sent;
    for (int i = 0; i < 20; ++i) {
      sent.push_back(filled(20 + static_cast<std::size_t>(i), i));  // growing: none merge
      sender.socket.send(target.socket.local(), sent.back());
    }
    sender.socket.flush();
    const bool blocked = fail_at < 7;  // 20 messages, 3 a call
    CHECK(sender.socket.congested() == blocked);
    int called = 0;
    sender.socket.when_writable([&] { ++called; });
    CHECK(called == 0);
    REQUIRE(run_until(io, [&] { return target.datagrams.size() == 20 && called == 1; }));
    CHECK(target.datagrams == sent);
    CHECK_FALSE(sender.socket.congested());
    CHECK(sender.socket.stats().sent == 20);
    CHECK(sender.socket.stats().dropped == 0);
  }
}

TEST_CASE_FIXTURE(fixture, "the queue is bounded while the kernel takes nothing") {
  injected().sends.assign(1, EAGAIN);
  a.socket.send(b.socket.local(), filled(1000, 1));
  a.socket.flush();
  REQUIRE(a.socket.congested());
  for (int i = 0; i < 2000; ++i) {
    a.socket.send(b.socket.local(), filled(1000, 1));
  }
  const auto kept = send_queue::max_octets / 1000;
  CHECK(a.socket.stats().dropped == 2001 - kept);
  REQUIRE(arrived(kept));
  CHECK(a.socket.stats().sent == kept);
  CHECK(b.datagrams.size() == kept);
}

TEST_CASE_FIXTURE(fixture, "a full queue goes out by itself") {
  for (int i = 0; i < 2000; ++i) {
    a.socket.send(b.socket.local(), filled(10 + static_cast<std::size_t>(i % 300), 0));
    if (i % 100 == 0) io.poll();  // the receiver keeps up
  }
  CHECK(a.socket.stats().sent > 1000);
  a.socket.flush();
  CHECK(a.socket.stats().sent == 2000);
  CHECK(a.socket.stats().dropped == 0);
}

TEST_CASE_FIXTURE(fixture, "a device queue that is full, and an interrupted call") {
  injected().sends = {EINTR, ENOBUFS};
  a.socket.send(b.socket.local(), filled(10, 1));
  a.socket.send(b.socket.local(), filled(20, 2));
  a.socket.flush();
  REQUIRE(arrived(1));
  CHECK(b.datagrams[0] == filled(20, 2));
  CHECK(a.socket.stats().dropped == 1);
  CHECK_FALSE(a.socket.congested());
  io.poll();
  CHECK(a.errors.empty());
}

TEST_CASE_FIXTURE(fixture, "closing and destroying inside its own callbacks") {
  auto victim = std::make_unique<udp_socket>(io.get_executor(), any_v4);
  const auto at = victim->local();
  int seen = 0;
  auto held = std::make_shared<int>(0);
  victim->start(
      [&, held](const udp_socket::received&) {
        ++seen;
        victim.reset();
      },
      [] { FAIL("idle after the end"); }, [](const endpoint&, int) {});
  for (int i = 0; i < 3; ++i) a.socket.send(at, filled(1, i));
  a.socket.send(b.socket.local(), as_bytes("done"));
  a.socket.flush();
  REQUIRE(arrived(1));
  REQUIRE(run_until(io, [&] { return held.use_count() == 1; }));  // callbacks released
  CHECK(seen == 1);
  CHECK_FALSE(victim);
}

TEST_CASE_FIXTURE(fixture, "closed: sends go nowhere, nothing arrives, moving is safe") {
  a.socket.close();
  a.socket.close();
  a.socket.send(b.socket.local(), as_bytes("x"));
  a.socket.flush();
  CHECK(a.socket.stats().sent == 0);
  udp_socket moved = std::move(b.socket);
  b.socket = std::move(moved);
  b.socket = udp_socket(io.get_executor(), any_v4);
  io.poll();
  CHECK(b.datagrams.empty());
}

TEST_CASE_FIXTURE(fixture, "an address that can't be bound") {
  CHECK_THROWS_AS(udp_socket(io.get_executor(), a.socket.local()), boost::system::system_error);
  CHECK_THROWS_AS(udp_socket(io.get_executor(), *parse_endpoint("192.0.2.1:0")),
                  boost::system::system_error);
  // With reuse_port several share one.
  udp_socket first(io.get_executor(), any_v4, {.reuse_port = true});
  udp_socket second(io.get_executor(), first.local(), {.reuse_port = true});
  CHECK(first.local() == second.local());
}

TEST_CASE_FIXTURE(fixture, "IPv6 sockets leave IPv4 alone") {
  udp_socket six(io.get_executor(), *parse_endpoint("[::]:0"));
  CHECK_NOTHROW(udp_socket(io.get_executor(),
                           *parse_endpoint("0.0.0.0:" + std::to_string(six.local().port))));
}
