#include "protocol/dtls/batch.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::dtls;

namespace {

void append(batch_queue& q, std::initializer_list<std::size_t> sizes) {
  for (const auto size : sizes) REQUIRE(q.append(bytes(size, std::byte{1})));
}

}  // namespace

TEST_CASE("datagrams of one size share a batch, and a shorter one ends it") {
  batch_queue q;
  append(q, {100, 100, 100, 40, 100, 40});
  auto first = q.pop();
  REQUIRE(first);
  CHECK(first->data.size() == 340);
  CHECK(first->segment_size == 100);
  auto second = q.pop();
  REQUIRE(second);
  CHECK(second->data.size() == 140);
  CHECK(second->segment_size == 100);
  CHECK_FALSE(q.pop());
}

TEST_CASE("a longer datagram starts another batch, and one alone has no segment size") {
  batch_queue q;
  append(q, {40, 100});
  const auto first = q.pop(), second = q.pop();
  CHECK(first->data.size() == 40);
  CHECK(first->segment_size == 0);
  CHECK(second->data.size() == 100);
  CHECK(second->segment_size == 0);
}

TEST_CASE("a batch holds no more segments and bytes than one send takes") {
  batch_queue q;
  for (int i = 0; i < 200; ++i) append(q, {100});
  std::size_t total = 0;
  while (const auto b = q.pop()) {
    CHECK(b->data.size() <= batch_queue::max_segments * 100);
    total += b->data.size();
  }
  CHECK(total == 20'000);
  for (int i = 0; i < 100; ++i) append(q, {1'400});
  while (const auto b = q.pop()) CHECK(b->data.size() <= batch_queue::max_batch_bytes);
}

TEST_CASE("the queue is bounded, and takes again once drained") {
  batch_queue q;
  std::size_t taken = 0;
  while (q.append(bytes(60'000))) taken += 60'000;
  CHECK(taken <= batch_queue::max_queued_bytes);
  CHECK(taken + 60'000 > batch_queue::max_queued_bytes);
  while (q.pop()) {
  }
  CHECK(q.empty());
  CHECK(q.append(bytes(60'000)));
}
