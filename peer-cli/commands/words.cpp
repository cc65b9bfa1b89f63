#include "peer-cli/commands/words.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "peer-cli/session/link.hpp"

namespace nat::commands {

std::string short_ms(duration d) {
  std::array<char, 32> text{};
  const auto ms = milliseconds(d);
  std::snprintf(text.data(), text.size(), ms < 10 ? "%.1f ms" : "%.0f ms", ms);
  return text.data();
}

double json_ms(duration d) {
  return std::round(milliseconds(d) * 1000) / 1000;
}

json to_json(const endpoint& e, transport proto) {
  return {{"address", to_string(e.ip)}, {"port", e.port}, {"protocol", to_string(proto)}};
}

json to_json(const ice::candidate& c) {
  auto out = to_json(c.address, c.proto);
  out["type"] = to_string(c.kind);
  return out;
}

const char* path_name(const ice::connected& c) {
  return session::is_relayed(c) ? "relay" : "direct";
}

}  // namespace nat::commands
