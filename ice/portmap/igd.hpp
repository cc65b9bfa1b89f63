#pragma once

// A gateway's UPnP description, and the SOAP actions of IGD 1 and 2 that open ports:
// WANIPConnection 1 and 2, WANPPPConnection 1, WANIPv6FirewallControl 1. XML is read by
// libminiupnpc's parsers.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "ice/portmap/http.hpp"

namespace nat::portmap::igd {

struct service {
  http::url control;
  std::string type;  // "urn:schemas-upnp-org:service:WANIPConnection:2"
  [[nodiscard]] int version() const;
};
struct description {
  std::optional<service> connection;  // maps ports
  std::optional<service> firewall;    // opens pinholes
};
// Control URLs that name another place than `from` are not there.
[[nodiscard]] description read_description(std::string_view xml, const http::url& from);

struct argument {
  std::string name, value;
};
// The whole HTTP request. Values are ours: numbers and addresses.
[[nodiscard]] std::string call(const service&, std::string_view action,
                               const std::vector<argument>&);

class reply {
 public:
  // Of an HTTP response's body.
  explicit reply(const http::response&);
  // 0 where the action succeeded, the UPnP error code, or -1 where that is not known.
  [[nodiscard]] int error() const { return error_; }
  // 127 characters at most; empty where it is not there.
  [[nodiscard]] std::string value(std::string_view name) const;

 private:
  std::vector<argument> values_;
  int error_ = 0;
};

// UPnP error codes that change what is asked next.
inline constexpr int invalid_action = 401, action_not_authorized = 606, no_such_entry = 704,
                     conflict_in_mapping = 718, only_permanent_leases = 725;

}  // namespace nat::portmap::igd
