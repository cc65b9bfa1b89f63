#include "peer-cli/commands/nat_file.hpp"

#include <array>
#include <fstream>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace nat::commands {
namespace {

using json = nlohmann::json;
using behavior::dependence;
using behavior::port_choice;

std::string word(const json& from, const char* key) {
  const auto at = from.find(key);
  return at != from.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

// Shown to people, on a terminal that obeys control characters.
std::string printable(std::string text) {
  std::erase_if(text, [](char c) { return c < ' ' || c > '~'; });
  return text.substr(0, 64);
}

// The value that is called so; nullopt for a word that none bears.
template <class Value, std::size_t N>
std::optional<Value> value_of(const std::array<Value, N>& all, const std::string& name) {
  for (const auto value : all) {
    if (to_string(value) == name) return value;
  }
  return std::nullopt;
}

constexpr std::array dependences{dependence::unknown, dependence::endpoint, dependence::address,
                                 dependence::address_and_port};
constexpr std::array choices{port_choice::unknown, port_choice::preserving, port_choice::sequential,
                             port_choice::random, port_choice::block};

std::optional<other_nat> read_event(const json& event) {
  const auto mapping = value_of(dependences, word(event, "mapping"));
  const auto filtering = value_of(dependences, word(event, "filtering"));
  const auto ports = value_of(choices, word(event, "port_allocation"));
  if (!mapping || !filtering || !ports) return std::nullopt;
  const auto depends = event.find("mapping_depends");
  other_nat out{.v4 = word(event, "family") != "ipv6",
                .name = printable(word(event, "classic")),
                .what = {.udp = word(event, "udp") != "blocked",
                         .mapping = *mapping,
                         .filtering = *filtering,
                         .ports = *ports}};
  out.what.mapping_depends =
      *mapping == dependence::address || *mapping == dependence::address_and_port ||
      (depends != event.end() && depends->is_boolean() && depends->get<bool>());
  return out;
}

}  // namespace

std::expected<std::vector<other_nat>, std::string> read_nat_events(std::string_view text) {
  std::vector<other_nat> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto line = text.substr(at, text.find('\n', at) - at);
    at += line.size() + 1;
    const auto event = json::parse(line, nullptr, false);
    if (!event.is_object() || word(event, "event") != "nat") continue;
    const auto read = read_event(event);
    if (!read) return std::unexpected("holds a result of `nat` that can't be read");
    std::erase_if(out, [&](const other_nat& o) { return o.v4 == read->v4; });
    out.push_back(*read);
  }
  if (out.empty()) return std::unexpected("holds no result of `nat`");
  return out;
}

std::expected<std::vector<other_nat>, std::string> read_nat_file(const std::string& file) {
  const auto wrong = [&](const std::string& why) {
    return std::unexpected("--with: '" + file + "' " + why +
                           "; make one on the other machine: peer-cli --json nat > FILE");
  };
  std::ifstream in(file, std::ios::binary);
  std::string text(max_nat_file_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) return wrong("can't be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > max_nat_file_bytes) return wrong("is larger than 1 MiB");
  auto read = read_nat_events(text);
  if (!read) return wrong(read.error());
  return read;
}

std::vector<std::string_view> unlearned_of(const behavior::profile& p) {
  std::vector<std::string_view> out;
  if (!p.udp) return out;
  if (p.mapping == dependence::unknown && !p.mapping_depends) out.emplace_back("mapping");
  if (p.filtering == dependence::unknown) out.emplace_back("filtering");
  if (p.mapping_depends && p.ports == port_choice::unknown) out.emplace_back("port_allocation");
  return out;
}

}  // namespace nat::commands
