#pragma once

// Fuzz input read as a list of decisions; at its end every decision is zero.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"

namespace nat::fuzz {

class input {
 public:
  input(const std::uint8_t* data, std::size_t size) : left_(std::as_bytes(std::span(data, size))) {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  std::uint8_t octet() {
    if (left_.empty()) return 0;
    const auto value = std::to_integer<std::uint8_t>(left_[0]);
    left_ = left_.subspan(1);
    return value;
  }
  std::uint8_t below(unsigned bound) { return static_cast<std::uint8_t>(octet() % bound); }
  std::uint16_t word() {
    const unsigned high = octet();
    return static_cast<std::uint16_t>(high * 256 + octet());
  }
  // As many octets as one octet says, or are left.
  byte_view some() {
    const std::size_t wanted = octet();
    const auto size = std::min(wanted, left_.size());
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  // Up to two minutes, mostly short.
  duration wait() {
    const auto value = octet();
    return value < 128 ? std::chrono::milliseconds{value} : std::chrono::seconds{value - 127};
  }

 private:
  byte_view left_;
};

// Of a few peers, public, private, IPv6, nonsense.
inline endpoint peer_of(input& in) {
  static constexpr std::array<const char*, 8> texts{
      "192.0.2.1:4000",     "192.0.2.2:4000",  "192.0.2.1:4001", "10.0.0.1:1",
      "[2001:db8::1]:4000", "[2001:db8::2]:1", "[fe80::1]:9",    "0.0.0.0:0"};
  return *parse_endpoint(texts[in.below(texts.size())]);
}

// The same bytes for the same input.
class counting_random final : public random_source {
 public:
  void fill(byte_span out) override {
    for (auto& octet : out)
      octet = static_cast<std::byte>(
          (state_ = state_ * 6364136223846793005 + 1442695040888963407) >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

}  // namespace nat::fuzz
