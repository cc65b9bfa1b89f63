// Every pair of NATs that RFC 4787 can describe, in mapping and filtering: which path, and within
// how much virtual time.

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"
#include "tests/scenarios/oracle.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;
using sim::dependence;

namespace {

constexpr dependence all[] = {dependence::independent, dependence::address,
                              dependence::address_and_port};

std::vector<sim::nat_rules> kinds(sim::port_choice ports) {
  std::vector<sim::nat_rules> out;
  for (const auto mapping : all) {
    for (const auto filtering : all) {
      out.push_back({.mapping = mapping, .filtering = filtering, .ports = ports});
    }
  }
  return out;
}

std::string name_of(const sim::nat_rules& r) {
  static constexpr const char* words[] = {"independent", "address", "address-and-port"};
  return std::string(words[static_cast<int>(r.mapping)]) + " mapping, " +
         words[static_cast<int>(r.filtering)] + " filtering";
}

bool is_easy(const sim::nat_rules& r) {
  return r.mapping == dependence::independent;
}

}  // namespace

TEST_CASE("the oracle knows the classic cases") {
  const auto cone = kinds(sim::port_choice::preserve)[2];  // port-restricted
  const auto symmetric = kinds(sim::port_choice::preserve)[8];
  const auto full_cone = kinds(sim::port_choice::preserve)[0];
  CHECK(direct_is_possible(cone, cone));
  CHECK(direct_is_possible(full_cone, symmetric));
  CHECK_FALSE(direct_is_possible(cone, symmetric));
  CHECK_FALSE(direct_is_possible(symmetric, symmetric));
}

TEST_CASE("every pair of NATs connects, directly wherever that is possible") {
  std::uint64_t seed = 1;
  for (const auto ports : {sim::port_choice::preserve, sim::port_choice::random}) {
    for (const auto& left : kinds(ports)) {
      for (const auto& right : kinds(ports)) {
        meeting m({.seed = seed++, .left = {.nat = left}, .right = {.nat = right}, .turn = true});
        const auto met = m.connect();
        const bool direct = direct_is_possible(left, right);
        INFO(name_of(left), " / ", name_of(right), ", ", milliseconds(met.took), " ms\n",
             m.story());
        REQUIRE(met.path != path_kind::none);
        CHECK(met.took <= (is_easy(left) && is_easy(right) ? 100ms : 145ms));
        // Where the relay was there first, the direct path follows at once, and stays.
        CHECK(m.settle(direct ? path_kind::direct : path_kind::relay, 1s));
        m.world.run_for(10s);
        CHECK(m.left->now_by() == (direct ? path_kind::direct : path_kind::relay));
        CHECK(m.right->now_by() == m.left->now_by());
      }
    }
  }
}
