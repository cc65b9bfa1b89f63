#include "tests/sim/nat_table.hpp"

#include <algorithm>

namespace nat::sim {
namespace {

constexpr std::uint16_t lowest_port = 1024;
constexpr std::uint32_t port_count = 65536 - lowest_port;

endpoint zeroed(const endpoint& remote, dependence d) {
  switch (d) {
    case dependence::independent:
      return endpoint{.ip = address{.v4 = remote.ip.v4}};
    case dependence::address:
      return endpoint{remote.ip, 0};
    case dependence::address_and_port:
      break;
  }
  return remote;
}

}  // namespace

nat_table::nat_table(const nat_rules& rules, dependence filtering, std::vector<address> external,
                     dice& chance)
    : rules_(rules), filtering_(filtering), external_(std::move(external)), chance_(chance) {
  next_port_ = static_cast<std::uint16_t>(20000 + chance_.below(20000));
  block_start_ = static_cast<std::uint16_t>(
      lowest_port + chance_.below(port_count / rules_.block_size) * rules_.block_size);
}

std::optional<endpoint> nat_table::outbound(const endpoint& inner, const endpoint& remote,
                                            time_point now) {
  const flow moved{inner, remote, true};
  const flow key = key_of(inner, remote);
  auto* m = find(moved, now);
  if (m == nullptr) {
    m = find(key, now);
    if (m == nullptr) m = create(key, inner, now);
    if (m == nullptr) return std::nullopt;
    if (!is_contacted(*m, remote, now) && is_taken(m->external, remote, now)) {
      m = create(moved, inner, now);
      if (m == nullptr) return std::nullopt;
    }
  }
  m->expires = now + rules_.lifetime;
  m->contacted[zeroed(remote, filtering_)] = m->expires;
  return m->external;
}

nat_table::arrival nat_table::inbound(const endpoint& external, const endpoint& remote,
                                      time_point now) {
  const auto at = by_external_.find(external);
  auto* m = at == by_external_.end() ? nullptr : find(at->second, now);
  // A moved flow's port belongs to that flow's remote alone.
  const bool foreign = m != nullptr && at->second.moved && at->second.remote != remote;
  if (m != nullptr && !foreign && is_contacted(*m, remote, now) &&
      !is_taken(external, remote, now)) {
    if (rules_.inbound_refreshes) m->expires = now + rules_.lifetime;
    return {verdict::pass, at->second.inner};
  }
  if (!rules_.open_input) return {verdict::refused, {}};
  taken_[{remote, external}] = now + rules_.open_input_lifetime;
  return {verdict::taken_in, {}};
}

std::optional<endpoint> nat_table::peek_outbound(const endpoint& inner, const endpoint& remote,
                                                 time_point now) const {
  for (const auto& key : {flow{inner, remote, true}, key_of(inner, remote)}) {
    const auto at = mappings_.find(key);
    if (at != mappings_.end() && at->second.expires > now) return at->second.external;
  }
  return std::nullopt;
}

std::optional<endpoint> nat_table::peek_inbound(const endpoint& external, time_point now) const {
  const auto at = by_external_.find(external);
  if (at == by_external_.end() || mappings_.at(at->second).expires <= now) return std::nullopt;
  return at->second.inner;
}

std::size_t nat_table::size(time_point now) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(mappings_, [&](const auto& m) { return m.second.expires > now; }));
}

void nat_table::forget_all() {
  mappings_.clear();
  by_external_.clear();
  pool_.clear();
  taken_.clear();
}

nat_table::flow nat_table::key_of(const endpoint& inner, const endpoint& remote) const {
  // Without translation every remote sees the same endpoint.
  return {inner, zeroed(remote, rules_.translates ? rules_.mapping : dependence::independent)};
}

nat_table::mapping* nat_table::find(const flow& key, time_point now) {
  const auto at = mappings_.find(key);
  if (at == mappings_.end()) return nullptr;
  if (at->second.expires > now) return &at->second;
  by_external_.erase(at->second.external);
  mappings_.erase(at);
  return nullptr;
}

nat_table::mapping* nat_table::create(const flow& key, const endpoint& inner, time_point now) {
  expire(now);
  if (mappings_.size() >= rules_.max_mappings) return nullptr;
  endpoint external = inner;
  if (rules_.translates) {
    external.ip = choose_address(inner.ip);
    const auto choice = rules_.ports;
    if (key.moved) rules_.ports = port_choice::random;
    const auto port = choose_port(external.ip, inner.port);
    rules_.ports = choice;
    if (!port) return nullptr;
    external.port = *port;
  }
  by_external_[external] = key;
  return &(mappings_[key] = mapping{external, now + rules_.lifetime, {}});
}

bool nat_table::is_contacted(const mapping& m, const endpoint& remote, time_point now) const {
  if (filtering_ == dependence::independent) return true;
  const auto at = m.contacted.find(zeroed(remote, filtering_));
  return at != m.contacted.end() && (at->second > now || rules_.inbound_refreshes);
}

bool nat_table::is_taken(const endpoint& external, const endpoint& remote, time_point now) const {
  const auto at = taken_.find({remote, external});
  return at != taken_.end() && at->second > now;
}

void nat_table::expire(time_point now) {
  std::erase_if(by_external_,
                [&](const auto& entry) { return mappings_.at(entry.second).expires <= now; });
  std::erase_if(mappings_, [&](const auto& entry) { return entry.second.expires <= now; });
}

address nat_table::choose_address(const address& inner) {
  if (rules_.pooling == pooling::arbitrary) return external_[chance_.below(external_.size())];
  const auto [at, is_new] = pool_.try_emplace(inner);
  if (is_new) at->second = external_[chance_.below(external_.size())];
  return at->second;
}

std::optional<std::uint16_t> nat_table::choose_port(const address& external,
                                                    std::uint16_t preferred) {
  const bool in_block = rules_.ports == port_choice::block;
  const std::uint32_t first = in_block ? block_start_ : lowest_port;
  const std::uint32_t count = in_block ? rules_.block_size : port_count;
  std::uint32_t step = 1, port = first + static_cast<std::uint32_t>(chance_.below(count));
  if (rules_.ports == port_choice::preserve) port = std::max(preferred, lowest_port);
  if (rules_.ports == port_choice::sequential) {
    step = rules_.port_step;
    port = next_port_;
  }
  for (std::uint32_t tried = 0; tried < count; ++tried) {
    const auto candidate = static_cast<std::uint16_t>(port);
    port = first + (port - first + step) % count;
    if (!is_free(external, candidate)) continue;
    if (rules_.ports == port_choice::sequential) next_port_ = static_cast<std::uint16_t>(port);
    return candidate;
  }
  return std::nullopt;
}

bool nat_table::is_free(const address& external, std::uint16_t port) const {
  return !by_external_.contains({external, port});
}

}  // namespace nat::sim
