// Real sockets on loopback; failures of sendmmsg are injected (faults.hpp).

#include "stun/io/gather_queue.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "stun/io/receive_batch.hpp"
#include "stun/io/udp_descriptor.hpp"
#include "tests/check.hpp"
#include "tests/stun/io/faults.hpp"

using namespace nat;
using namespace nat::stun::io;
using nat::test::injected;

namespace {

const endpoint any_v4 = *parse_endpoint("127.0.0.1:0");

struct end {
  explicit end(const endpoint& at = any_v4)
      : descriptor(open_udp(at, {.report_errors = false})), local(bound_to(descriptor)) {}
  ~end() { close(descriptor); }
  end(const end&) = delete;
  end& operator=(const end&) = delete;

  // The next `count` datagrams, as text.
  std::vector<std::string> take(std::size_t count) {
    std::vector<std::string> out;
    while (out.size() < count) {
      pollfd waiting{descriptor, POLLIN, 0};
      REQUIRE(poll(&waiting, 1, 20'000) == 1);
      auto& batch = receive_batch::mine();
      const auto came = batch.receive(descriptor);
      REQUIRE(came > 0);
      ++batches;
      for (std::size_t i = 0; i < static_cast<std::size_t>(came); ++i) {
        items += 1;
        from = batch.at(i).from;
        for_each_datagram(batch.at(i), [&](byte_view d) { out.emplace_back(as_text(d)); });
      }
    }
    CHECK(out.size() == count);
    return out;
  }

  int descriptor;
  endpoint local, from;
  std::size_t batches = 0, items = 0;
};

struct fixture {
  fixture() { injected() = {}; }
  ~fixture() { injected() = {}; }
  void push(const end& from, const end& to, std::string_view head, std::string_view body = {},
            std::string_view tail = {}) {
    queue.push(from.descriptor, to.local, {}, as_bytes(head), as_bytes(body), as_bytes(tail));
  }
  end a, b, c;
  gather_queue queue;
};

TEST_CASE_FIXTURE(fixture, "pieces arrive as one datagram") {
  push(a, b, "head", "body", "tail");
  push(a, b, "", "", "");
  push(a, b, "x");
  queue.flush();
  CHECK(b.take(3) == std::vector<std::string>{"headbodytail", "", "x"});
  CHECK(b.from == a.local);
  CHECK(queue.stats().sent == 3);
}

TEST_CASE_FIXTURE(fixture, "interleaved destinations: one message each, in order") {
  for (int i = 0; i < 10; ++i) {
    const std::string digit = std::to_string(i);
    const auto made = queue.room(4);
    std::ranges::copy(as_bytes("b-" + digit + "."), made.begin());
    queue.push(a.descriptor, b.local, {}, made);
    push(a, c, "to c");
  }
  queue.flush();
  const auto at_b = b.take(10);
  for (std::size_t i = 0; i < 10; ++i) CHECK(at_b[i] == "b-" + std::to_string(i) + ".");
  CHECK(c.take(10) == std::vector<std::string>(10, "to c"));
  CHECK(b.items == 1);  // coalesced as it was sent
  CHECK(injected().calls == 1);
  CHECK(queue.stats().sent == 20);
}

TEST_CASE_FIXTURE(fixture, "sizes: a shorter one ends a message, a longer one begins another") {
  for (const std::string_view text : {"aaaa", "bbbb", "cc", "dd", "eeee"}) push(a, b, text);
  queue.flush();
  CHECK(b.take(5) == std::vector<std::string>{"aaaa", "bbbb", "cc", "dd", "eeee"});
  CHECK(b.items == 3);  // aaaa bbbb cc | dd | eeee
}

TEST_CASE_FIXTURE(fixture, "several descriptors, and more than fits at once") {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 2 * gather_queue::max_datagrams + 7; ++i) {
    texts.push_back("number " + std::to_string(10'000 + i));
  }
  std::size_t from_a = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    push(i % 3 == 0 ? a : c, b, texts[i]);
    from_a += i % 3 == 0 ? 1 : 0;
  }
  queue.flush();
  auto got = b.take(texts.size());
  std::ranges::sort(got);
  CHECK(got == texts);
  CHECK(queue.stats().sent == texts.size());
}

TEST_CASE_FIXTURE(fixture, "a source address on a wildcard socket") {
  end wildcard(*parse_endpoint("0.0.0.0:0"));
  queue.push(wildcard.descriptor, b.local, parse_address("127.0.0.77"), as_bytes("hello"));
  queue.flush();
  CHECK(b.take(1) == std::vector<std::string>{"hello"});
  CHECK(b.from == endpoint{*parse_address("127.0.0.77"), wildcard.local.port});
}

TEST_CASE_FIXTURE(fixture, "IPv6") {
  end from(*parse_endpoint("[::1]:0")), to(*parse_endpoint("[::1]:0"));
  push(from, to, "six", "th");
  push(from, to, "sense");
  queue.flush();
  CHECK(to.take(2) == std::vector<std::string>{"sixth", "sense"});
}

TEST_CASE_FIXTURE(fixture, "what the kernel refuses") {
  push(a, b, "one1");
  push(a, b, "two2");
  push(a, c, "to c");
  SUBCASE("a full buffer: lost, and counted") {
    injected().sends = {EAGAIN};
    queue.flush();
    CHECK(queue.stats().lost == 3);
    CHECK(queue.stats().sent == 0);
  }
  SUBCASE("one destination: the others are served") {
    injected().sends = {EPERM, 0};
    queue.flush();
    CHECK(queue.stats().lost == 2);
    CHECK(c.take(1) == std::vector<std::string>{"to c"});
  }
  SUBCASE("segmentation, for this size: one by one") {
    injected().judge = [](std::size_t, bool segmented) { return segmented ? EINVAL : 0; };
    queue.flush();
    CHECK(b.take(2) == std::vector<std::string>{"one1", "two2"});
    CHECK(c.take(1) == std::vector<std::string>{"to c"});
    CHECK(queue.stats().sent == 3);
  }
  SUBCASE("segmentation as such: never tried again") {
    injected().judge = [](std::size_t, bool segmented) { return segmented ? EIO : 0; };
    queue.flush();
    CHECK(b.take(2).size() == 2);
    CHECK(c.take(1).size() == 1);
    const auto before = injected().calls;
    push(a, b, "one1");
    push(a, b, "two2");
    queue.flush();
    CHECK(b.take(2) == std::vector<std::string>{"one1", "two2"});
    CHECK(injected().calls == before + 1);
  }
  SUBCASE("an interrupted call is made again") {
    injected().sends = {EINTR};
    queue.flush();
    CHECK(queue.stats().sent == 3);
  }
  SUBCASE("a call that takes fewer") {
    injected().most_messages = 1;
    queue.flush();
    CHECK(queue.stats().sent == 3);
    CHECK(queue.stats().lost == 0);
  }
}

}  // namespace
