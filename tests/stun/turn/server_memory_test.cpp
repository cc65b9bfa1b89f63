// What an allocation weighs, and that relaying data allocates nothing: counted at operator new.

#include <cstdlib>
#include <new>

#include "tests/stun/turn/server_harness.hpp"

namespace {

std::size_t live_bytes = 0, calls = 0;
constexpr std::size_t header = alignof(std::max_align_t);

void* take(std::size_t size) {
  auto* raw = static_cast<std::byte*>(std::malloc(size + header));
  if (raw == nullptr) throw std::bad_alloc();
  *reinterpret_cast<std::size_t*>(raw) = size;
  live_bytes += size;
  ++calls;
  return raw + header;
}

void give_back(void* p) noexcept {
  if (p == nullptr) return;
  auto* raw = static_cast<std::byte*>(p) - header;
  live_bytes -= *reinterpret_cast<std::size_t*>(raw);
  std::free(raw);
}

}  // namespace

void* operator new(std::size_t size) {
  return take(size);
}
void operator delete(void* p) noexcept {
  give_back(p);
}
void operator delete(void* p, std::size_t) noexcept {
  give_back(p);
}

using namespace nat;
using namespace nat::test;

TEST_CASE("an allocation with a permission and a channel takes less than 1 KiB") {
  auto config = server_harness::default_config();
  config.limits.max_allocations_per_name = config.limits.max_allocations_per_address = 10'000;
  server_harness h(config);
  std::uint16_t port = 1;
  const auto add = [&](int n) {
    for (int i = 0; i < n; ++i, ++port) {
      REQUIRE(h.allocate(server_harness::from(port))->success);
      REQUIRE(h.bind(server_harness::from(port), 0x4000, peer_v4)->success);
    }
    h.asked = {};
  };
  add(100);
  const auto relays = h.relays.size();
  const auto before = live_bytes;
  constexpr int more = 5000;
  add(more);
  // The harness's own map of relays is counted too.
  CHECK(h.relays.size() == relays + more);
  const auto each = (live_bytes - before) / more;
  MESSAGE(each, " bytes an allocation");
  CHECK(each > 100);
  CHECK(each < 1024);
}

TEST_CASE("relaying ChannelData allocates nothing") {
  server_harness h;
  const auto client = server_harness::from(5000);
  REQUIRE(h.allocate(client)->success);
  REQUIRE(h.bind(client, 0x4000, peer_v4)->success);
  const auto relay = h.relays.begin()->first;
  bytes message(164);
  message[0] = std::byte{0x40};
  message[3] = std::byte{160};
  const auto before = calls;
  std::size_t relayed = 0;
  for (int i = 0; i < 1000; ++i) {
    relayed +=
        std::holds_alternative<turn::to_peer>(h.server.handle_client(client, message, h.now).out);
    relayed += std::holds_alternative<turn::to_client>(
        h.server.handle_peer(relay, peer_v4, message, h.now));
  }
  CHECK(relayed == 2000);
  CHECK(calls == before);
}
