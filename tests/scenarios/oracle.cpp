#include "tests/scenarios/oracle.hpp"

#include <set>

#include "tests/sim/nat_table.hpp"

namespace nat::scenarios {
namespace {

constexpr int rounds = 12;
const time_point now{std::chrono::hours{1}};

struct side {
  side(const sim::nat_rules& rules, const char* inner_text, const char* outer, sim::dice& chance)
      : inner(*parse_endpoint(inner_text)),
        table(rules, rules.filtering, {*parse_address(outer)}, chance) {}
  endpoint inner;
  sim::nat_table table;
  std::set<endpoint> known;  // of the other side's
};

// Where the packet seems to come from, if it arrives.
std::optional<endpoint> carry(side& from, side& to, const endpoint& target) {
  const auto source = from.table.outbound(from.inner, target, now);
  if (!source) return std::nullopt;
  const auto arrival = to.table.inbound(target, *source, now);
  if (arrival.what != sim::nat_table::verdict::pass) return std::nullopt;
  return source;
}

bool check_all(side& from, side& to) {
  bool works = false;
  for (const auto& target : std::set<endpoint>(from.known)) {
    const auto source = carry(from, to, target);
    if (!source) continue;
    to.known.insert(*source);
    if (carry(to, from, *source) == target) works = true;
  }
  return works;
}

}  // namespace

bool direct_is_possible(const sim::nat_rules& left, const sim::nat_rules& right) {
  sim::dice chance(1);
  side a(left, "192.168.1.2:5000", "203.0.113.1", chance);
  side b(right, "192.168.2.2:5000", "203.0.113.2", chance);
  const auto server = *parse_endpoint("203.0.113.3:3478");
  a.known.insert(*b.table.outbound(b.inner, server, now));
  b.known.insert(*a.table.outbound(a.inner, server, now));
  for (int i = 0; i < rounds; ++i) {
    const bool left_works = check_all(a, b), right_works = check_all(b, a);
    if (left_works || right_works) return true;
  }
  return false;
}

}  // namespace nat::scenarios
