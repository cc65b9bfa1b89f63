#pragma once

// What a NAT does, judged from evidence alone: RFC 4787's words, and RFC 3489's names. One verdict
// is about one address family.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "protocol/base/time.hpp"
#include "stun/behavior/exchange.hpp"
#include "stun/behavior/port_allocation.hpp"

namespace nat::behavior {

// RFC 4787, 4.1 and 5: what part of the remote endpoint is looked at.
enum class dependence : std::uint8_t { unknown, endpoint, address, address_and_port };
enum class pooling : std::uint8_t { unknown, paired, arbitrary };  // RFC 4787, 4.1
// More than one translator between here and the public network.
enum class layers : std::uint8_t { unknown, one, doubled, carrier_grade };

struct lifetime_bounds {
  duration alive_after{};              // a mapping was still there
  std::optional<duration> gone_after;  // nothing: it outlived the longest test
};

struct verdict {
  bool udp = false;                     // a server answered over UDP
  bool udp_blocked = false;             // none did, and one answers over TCP
  std::optional<bool> translated = {};  // false: no NAT
  dependence mapping = dependence::unknown;
  // The mapping depends on the destination; with `mapping` unknown nobody could tell on what of it.
  bool mapping_depends = false;
  dependence filtering = dependence::unknown;
  port_allocation ports = {};
  behavior::pooling pooling = behavior::pooling::unknown;
  std::optional<bool> hairpin = {}, fragments = {};
  std::optional<lifetime_bounds> lifetime = {};
  behavior::layers layers = behavior::layers::unknown;
  std::vector<address> local = {}, external = {};  // ours, and as servers see us; each once
  std::vector<std::string> unlearned = {};         // what could not be told, and why; for people
};

// What is known beyond the exchanges.
struct circumstances {
  endpoint server = {};                         // the one that was tested with
  std::optional<bool> tcp = {};                 // whether a server answered over TCP, where asked
  std::optional<address> router_external = {};  // the router's word (PCP, NAT-PMP, UPnP)
  bool lifetime_wanted = false;
};

// `all` in the order of sending; exchanges still pending count for nothing.
[[nodiscard]] verdict judge(std::span<const exchange> all, const circumstances&);

// RFC 3489's name, 5: "full cone" …; "open internet", "symmetric firewall", "udp blocked",
// "unknown".
[[nodiscard]] std::string_view classic_name(const verdict&) noexcept;

[[nodiscard]] std::string_view to_string(dependence) noexcept;  // "endpoint-independent" …
[[nodiscard]] std::string_view to_string(pooling) noexcept;
[[nodiscard]] std::string_view to_string(layers) noexcept;
[[nodiscard]] std::string_view to_string(purpose) noexcept;
[[nodiscard]] std::string_view to_string(outcome) noexcept;

}  // namespace nat::behavior
