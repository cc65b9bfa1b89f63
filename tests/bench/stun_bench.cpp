// What a connectivity check costs: parsed, verified, built and signed. Prints one JSON object a
// line; the least of many rounds, since the rest is what else the machine was doing.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "protocol/base/ensure.hpp"
#include "protocol/crypto/system_random.hpp"
#include "stun/message.hpp"
#include "stun/server.hpp"

namespace {

std::uint64_t allocations = 0;

}  // namespace

// Every allocation of the process, OpenSSL's too; operator new ends here as well.
extern "C" {
void* __libc_malloc(std::size_t size);
void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
}

namespace {

using namespace nat;
using namespace nat::stun;

constexpr std::string_view password = "VOkJxbRl1RmTxUk/WvJxBt";

template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

void print(const char* name, double value, const char* unit, std::optional<double> target) {
  std::array<char, 32> goal{"null"};
  if (target) std::snprintf(goal.data(), goal.size(), "%.1f", *target);
  std::printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"target\":%s}\n", name, value, unit,
              goal.data());
}

// Nanoseconds of one call, and how many allocations a thousand make.
template <class F>
void measure(const char* name, std::optional<double> target_ns, F run) {
  constexpr int rounds = 400, calls = 1000;
  double best = 1e9;
  for (int i = 0; i < calls; ++i) run();
  const auto before = allocations;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) run();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / calls);
  }
  print(name, best, "ns", target_ns);
  const auto per_call = static_cast<double>(allocations - before) / (rounds * calls);
  std::array<char, 64> allocation_name;
  std::snprintf(allocation_name.data(), allocation_name.size(), "%s_allocations", name);
  print(allocation_name.data(), per_call, "allocations", 0);
}

// A check as ICE sends it: 100 octets with USERNAME, PRIORITY, ICE-CONTROLLING, integrity and
// FINGERPRINT.
std::optional<byte_view> write_check(byte_span out, const transaction_id& id) {
  return message_writer(out, binding_request, id)
      .put<attr::username>("evtj1234:h6vYab12cdEF")
      .put<attr::priority>(0x6e0001ff)
      .put<attr::ice_controlling>(0x932ff9b151263b36)
      .finish_signed(as_bytes(password));
}

}  // namespace

int main() {
  crypto::system_random random;
  const auto id = make_transaction_id(random);
  std::array<std::byte, 256> room, answer_room;
  const auto check = write_check(room, id);
  ensure(check && check->size() == 100);
  const auto key = as_bytes(password);

  measure("stun_parse_100_bytes", 60, [&] {
    const auto view = message_view::parse(*check);
    ensure(view.has_value());
    keep(view);
  });
  const auto view = *message_view::parse(*check);
  measure("stun_read_check_attributes", {}, [&] {
    const auto username = view.get<attr::username>();
    const auto priority = view.get<attr::priority>();
    const auto tie_breaker = view.get<attr::ice_controlling>();
    const bool nominated = view.has<attr::use_candidate>();
    ensure(username && priority && tie_breaker && !nominated);
    keep(username);
  });
  measure("stun_verify_integrity", 600, [&] { ensure(view.authenticate(key).has_value()); });
  std::array<std::byte, 256> out;
  measure("stun_build_and_sign", 700, [&] {
    const auto raw = write_check(out, id);
    ensure(raw.has_value());
    keep(raw);
  });
  const endpoint from = *parse_endpoint("192.0.2.1:32853");
  const auto plain = *message_writer(room, binding_request, id).finish();
  measure("stun_answer_binding", {}, [&] {
    const auto raw = answer(plain, from, answer_room);
    ensure(raw.has_value());
    keep(raw);
  });
  const behavior_addresses ours{*parse_endpoint("198.51.100.1:3478"),
                                *parse_endpoint("203.0.113.2:3479")};
  measure("stun_answer_behavior", {}, [&] {
    const auto reply = answer(plain, from, {}, ours, answer_room);
    ensure(reply.has_value());
    keep(reply);
  });
}
