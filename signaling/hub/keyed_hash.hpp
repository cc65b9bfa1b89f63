#pragma once

// SipHash-2-4 (Aumasson and Bernstein, 2012): names come from strangers, and a hash without a
// secret key lets them choose names that all fall into one bucket.

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "protocol/base/endpoint.hpp"
#include "protocol/base/random.hpp"

namespace nat::hub {

class keyed_hash {
 public:
  using is_transparent = void;

  keyed_hash(std::uint64_t k0, std::uint64_t k1) noexcept : k0_(k0), k1_(k1) {}
  explicit keyed_hash(random_source& random) : k0_(random_u64(random)), k1_(random_u64(random)) {}

  [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept {
    state s{{k0_ ^ 0x736f6d6570736575U, k1_ ^ 0x646f72616e646f6dU, k0_ ^ 0x6c7967656e657261U,
             k1_ ^ 0x7465646279746573U}};
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) s.absorb(word(text.substr(at, 8)));
    s.absorb(word(text.substr(at)) | std::uint64_t{text.size()} << 56);
    s.v[2] ^= 0xff;
    for (int i = 0; i < 4; ++i) s.round();
    return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
  }

 private:
  struct state {
    std::array<std::uint64_t, 4> v;
    void round() noexcept {
      v[0] += v[1], v[1] = std::rotl(v[1], 13) ^ v[0], v[0] = std::rotl(v[0], 32);
      v[2] += v[3], v[3] = std::rotl(v[3], 16) ^ v[2];
      v[0] += v[3], v[3] = std::rotl(v[3], 21) ^ v[0];
      v[2] += v[1], v[1] = std::rotl(v[1], 17) ^ v[2], v[2] = std::rotl(v[2], 32);
    }
    void absorb(std::uint64_t m) noexcept {
      v[3] ^= m;
      round();
      round();
      v[0] ^= m;
    }
  };
  // Up to eight octets, the first one lowest.
  static std::uint64_t word(std::string_view octets) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = octets.size(); i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(octets[i]);
    }
    return value;
  }
  std::uint64_t k0_, k1_;
};

struct address_hash : keyed_hash {
  using keyed_hash::keyed_hash;
  std::size_t operator()(const address& a) const noexcept {
    return keyed_hash::operator()(as_text(a.octets));
  }
};

}  // namespace nat::hub
