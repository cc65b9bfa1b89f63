#include "peer-cli/commands/nat_servers.hpp"

#include <algorithm>
#include <optional>

namespace nat::commands {
namespace {

// One that can be asked over UDP; TURN servers answer Binding requests too.
std::optional<session::ice_url> usable(const std::string& url) {
  const auto parsed = session::parse_ice_url(url);
  if (!parsed || parsed->proto != transport::udp || parsed->tls) return std::nullopt;
  return *parsed;
}

}  // namespace

std::vector<session::ice_url> nat_servers(const std::vector<std::string>& urls) {
  std::vector<session::ice_url> out;
  for (const auto& url : urls) {
    const auto one = usable(url);
    const auto same = [&](const auto& o) { return o.host == one->host && o.port == one->port; };
    if (one && std::ranges::none_of(out, same)) out.push_back(*one);
  }
  return out;
}

}  // namespace nat::commands
