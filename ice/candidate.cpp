#include "ice/candidate.hpp"

#include <algorithm>

namespace nat::ice {
namespace {

// RFC 8445, 5.1.2.2, the recommended type preferences.
constexpr std::uint32_t type_preference(candidate_kind kind) noexcept {
  switch (kind) {
    case candidate_kind::host:
      return 126;
    case candidate_kind::peer_reflexive:
      return 110;
    case candidate_kind::server_reflexive:
      return 100;
    case candidate_kind::relayed:
      return 0;
  }
  return 0;
}

// FNV-1a, 64 bits. A foundation need only be equal for equals and short: an accidental collision
// costs one check that waits for another, nothing more.
class fnv1a {
 public:
  void add(std::uint8_t octet) noexcept { hash_ = (hash_ ^ octet) * 0x100000001b3; }
  void add(const address& a) noexcept {
    add(a.v4 ? std::uint8_t{4} : std::uint8_t{6});
    for (const auto octet : a.view()) add(std::to_integer<std::uint8_t>(octet));
  }
  // Ten characters of the ice-char alphabet.
  [[nodiscard]] std::string text() const {
    static constexpr char digits[] = "0123456789abcdefghijklmnopqrstuv";
    std::string out;
    for (int i = 0; i < 10; ++i) out += digits[(hash_ >> (5 * i + 14)) & 31U];
    return out;
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

std::string_view to_string(candidate_kind kind) noexcept {
  switch (kind) {
    case candidate_kind::host:
      return "host";
    case candidate_kind::server_reflexive:
      return "srflx";
    case candidate_kind::peer_reflexive:
      return "prflx";
    case candidate_kind::relayed:
      return "relay";
  }
  return "unknown";
}

std::uint32_t candidate_priority(candidate_kind kind, std::uint16_t local_preference) noexcept {
  constexpr std::uint32_t component = 1;
  return (type_preference(kind) << 24) | (std::uint32_t{local_preference} << 8) | (256 - component);
}

std::uint64_t pair_priority(std::uint32_t g, std::uint32_t d) noexcept {
  const std::uint64_t low = std::min(g, d), high = std::max(g, d);
  return (low << 32) + 2 * high + (g > d ? 1 : 0);
}

std::string make_foundation(candidate_kind kind, const address& base,
                            const std::optional<endpoint>& server, transport proto) {
  fnv1a hash;
  hash.add(static_cast<std::uint8_t>(kind));
  hash.add(static_cast<std::uint8_t>(proto));
  hash.add(base);
  // The server's address without its port: RFC 8445, 5.1.1.3.
  if (server) hash.add(server->ip);
  return hash.text();
}

}  // namespace nat::ice
