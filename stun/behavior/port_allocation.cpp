#include "stun/behavior/port_allocation.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <vector>

namespace nat::behavior {
namespace {

// What lies between neighbours, where neither was sent twice.
std::vector<int> differences(std::span<const port_sample> samples) {
  std::vector<int> out;
  const port_sample* last = nullptr;
  for (const auto& s : samples) {
    if (last != nullptr && !s.retransmitted && !last->retransmitted) {
      out.push_back(s.external - last->external);
    }
    last = &s;
  }
  return out;
}

// One step for all: the commonest difference where most agree (the others hold mappings of other
// hosts), else what divides all of them (samples that were lost).
std::optional<int> step_of(std::span<const port_sample> samples) {
  auto all = differences(samples);
  if (all.size() < least_samples - 1) return std::nullopt;
  // A sequence that began again at its lowest port.
  const auto turns = std::erase_if(all, [](int d) { return d < -60'000 || d > 60'000; });
  if (turns > 1 || all.empty()) return std::nullopt;
  const bool up = all.front() > 0;
  std::map<int, std::size_t> counted;
  int common = 0;
  for (const auto d : all) {
    if (d == 0 || (d > 0) != up || d > widest_step || d < -widest_step) return std::nullopt;
    ++counted[d];
    common = std::gcd(common, d);
  }
  const auto most =
      std::ranges::max_element(counted, {}, [](const auto& entry) { return entry.second; });
  if (2 * most->second > all.size()) return most->first;
  return up ? common : -common;
}

// The bounds of an even spread over n samples lie a mean gap beyond the outermost ones.
port_allocation block_around(std::span<const port_sample> samples) {
  const auto [low, high] = std::ranges::minmax(samples, {}, &port_sample::external);
  const int gap = (high.external - low.external) / (static_cast<int>(samples.size()) - 1);
  return {.kind = port_choice::block,
          .low = static_cast<std::uint16_t>(std::max(1, low.external - gap)),
          .high = static_cast<std::uint16_t>(std::min(65535, high.external + gap))};
}

}  // namespace

port_allocation classify_ports(std::span<const port_sample> samples) {
  if (samples.size() < least_samples) return {};
  const auto kept =
      std::ranges::count_if(samples, [](const port_sample& s) { return s.local == s.external; });
  // A port that another host holds already can't be preserved.
  if (4 * static_cast<std::size_t>(kept) >= 3 * samples.size()) {
    return {.kind = port_choice::preserving};
  }
  if (const auto step = step_of(samples)) return {.kind = port_choice::sequential, .step = *step};
  const auto [low, high] = std::ranges::minmax(samples, {}, &port_sample::external);
  if (samples.size() >= block_samples && high.external - low.external < widest_block) {
    return block_around(samples);
  }
  return {.kind = port_choice::random};
}

std::string_view to_string(port_choice kind) noexcept {
  switch (kind) {
    case port_choice::unknown:
      break;
    case port_choice::preserving:
      return "preserving";
    case port_choice::sequential:
      return "sequential";
    case port_choice::random:
      return "random";
    case port_choice::block:
      return "block";
  }
  return "unknown";
}

}  // namespace nat::behavior
