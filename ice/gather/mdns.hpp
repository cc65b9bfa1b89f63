#pragma once

// Multicast DNS as far as ICE needs it: the names that browsers put in place of host addresses
// ("<uuid>.local"), asked for and answered. RFC 6762, 5.1 and 6;
// draft-ietf-mmusic-mdns-ice-candidates; message format RFC 1035, 4. Left out on purpose: answering
// for names of our own, caching, probing, any record but A and AAAA.
//
// How a driver sends this decides whether it works. Chromium answers to the group only, never to an
// ephemeral port (RFC 6762, 6.7 is not implemented there), so the socket must be bound to port 5353
// with SO_REUSEADDR and SO_REUSEPORT, be a member of the group on each interface that has a host
// candidate, and send each query out of each of them (IP_MULTICAST_IF, IP_MULTICAST_ALL off). Where
// 5353 can't be bound, an ephemeral port still finds the responders that answer legacy queries.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::ice::mdns {

inline constexpr std::uint16_t port = 5353;
[[nodiscard]] endpoint group_v4() noexcept;  // 224.0.0.251
[[nodiscard]] endpoint group_v6() noexcept;  // ff02::fb

// One label of letters, digits and hyphens, then ".local" in any case: what a browser's candidate
// can hold. Such a name and no other is asked for by multicast.
[[nodiscard]] bool is_name(std::string_view host) noexcept;

// A question for both families. `name` is one that is_name() accepts.
[[nodiscard]] bytes write_query(std::string_view name, std::uint16_t id);

struct record {
  std::string name;  // lower case, no final dot
  nat::address address;
  bool operator==(const record&) const = default;
};

// The address records of a response, in order, at most 16; other records are skipped. Empty where
// the datagram is no response or is malformed before the first address. Records with a TTL of 0
// (the name is being given up) are skipped.
[[nodiscard]] std::vector<record> read_response(byte_view datagram);

}  // namespace nat::ice::mdns
