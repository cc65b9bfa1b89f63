#include "protocol/sdp/candidate.hpp"

#include <array>
#include <utility>

#include "protocol/sdp/text.hpp"

namespace nat::sdp {
namespace {

using namespace text;

constexpr std::size_t max_line = 512;
constexpr std::size_t max_host = 253;  // RFC 1035, 2.3.4, in text

constexpr std::array<std::pair<std::string_view, candidate_type>, 4> types{{
    {"host", candidate_type::host},
    {"srflx", candidate_type::srflx},
    {"prflx", candidate_type::prflx},
    {"relay", candidate_type::relay},
}};
constexpr std::array<std::pair<std::string_view, tcp_type>, 3> tcp_types{{
    {"active", tcp_type::active},
    {"passive", tcp_type::passive},
    {"so", tcp_type::so},
}};

template <class Table>
auto value_of(const Table& table, std::string_view word)
    -> std::optional<typename Table::value_type::second_type> {
  for (const auto& [name, value] : table) {
    if (equal_ignoring_case(name, word)) return value;
  }
  return std::nullopt;
}

template <class Table, class Value>
std::string_view name_of(const Table& table, Value wanted) {
  for (const auto& [name, value] : table) {
    if (value == wanted) return name;
  }
  return {};
}

// One name and value after the type. False: a known name with a value it can't have.
bool read_extension(candidate& out, std::string_view name, std::string_view value) {
  if (value.empty()) return false;
  if (name == "raddr") {
    if (!all(value, 1, max_host, is_host_char)) return false;
    out.related_host = value;
  } else if (name == "rport") {
    out.related_port = number<std::uint16_t>(value);
    return out.related_port.has_value();
  } else if (name == "tcptype") {
    out.tcp = value_of(tcp_types, value);
    return out.tcp.has_value();
  } else if (name == "ufrag") {
    if (!all(value, 4, 256, is_ice_char)) return false;
    out.ufrag = value;
  }
  return true;
}

// The six words before "typ".
bool read_fixed(candidate& out, std::string_view& rest) {
  const auto foundation = next_word(rest);
  const auto component = number<std::uint16_t>(next_word(rest));
  const auto proto = next_word(rest);
  const auto priority = number<std::uint32_t>(next_word(rest));
  const auto host = next_word(rest);
  const auto port = number<std::uint16_t>(next_word(rest));
  const bool tcp = equal_ignoring_case(proto, "tcp");
  if (!all(foundation, 1, 32, is_ice_char) || !component || *component < 1 || *component > 256 ||
      (!tcp && !equal_ignoring_case(proto, "udp")) || !priority ||
      !all(host, 1, max_host, is_host_char) || !port) {
    return false;
  }
  // RFC 6544, 4.5: an active candidate has no port of its own; everybody else's names a place.
  if (*port == 0 && !tcp) return false;
  out.foundation = foundation;
  out.component = *component;
  out.proto = tcp ? transport::tcp : transport::udp;
  out.priority = *priority;
  out.host = host;
  out.port = *port;
  return true;
}

}  // namespace

std::optional<candidate> parse_candidate(std::string_view line) {
  if (line.size() > max_line) return std::nullopt;
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("a=")) line.remove_prefix(2);
  if (line.starts_with("candidate:")) line.remove_prefix(10);
  candidate out;
  if (!read_fixed(out, line) || next_word(line) != "typ") return std::nullopt;
  const auto type = value_of(types, next_word(line));
  if (!type) return std::nullopt;
  out.type = *type;
  for (auto name = next_word(line); !name.empty(); name = next_word(line)) {
    if (!read_extension(out, name, next_word(line))) return std::nullopt;
  }
  // RFC 6544, 4.5: tcptype is there exactly with tcp.
  if (out.tcp.has_value() != (out.proto == transport::tcp)) return std::nullopt;
  return out;
}

std::string to_string(const candidate& c) {
  std::string out = "candidate:" + c.foundation + ' ' + std::to_string(c.component) + ' ';
  out += nat::to_string(c.proto);
  out += ' ' + std::to_string(c.priority) + ' ' + c.host + ' ' + std::to_string(c.port) + " typ ";
  out += name_of(types, c.type);
  if (c.related_host) out += " raddr " + *c.related_host;
  if (c.related_port) out += " rport " + std::to_string(*c.related_port);
  if (c.tcp) out.append(" tcptype ").append(name_of(tcp_types, *c.tcp));
  if (c.ufrag) out += " ufrag " + *c.ufrag;
  return out;
}

}  // namespace nat::sdp
