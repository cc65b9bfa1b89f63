#include "peer-cli/session/nat_view.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::session;
using kind = ice::mapping_kind;

namespace {

ice::mapping_observation seen(const char* base, const char* server, const char* mapped) {
  return {*parse_endpoint(base), *parse_endpoint(server), *parse_endpoint(mapped)};
}

}  // namespace

TEST_CASE("nothing seen, nothing said; each family by itself") {
  CHECK(view_nat({}).empty());
  const std::vector all{seen("[2001:db8::1]:5000", "[2001:db8::9]:3478", "[2001:db8::1]:5000"),
                        seen("10.0.0.1:5000", "198.51.100.1:3478", "203.0.113.1:6000")};
  const auto views = view_nat(all);
  REQUIRE(views.size() == 2);
  CHECK(views[0].v4);
  CHECK(views[0].translated == true);
  CHECK(views[0].mapping == kind::unknown);
  CHECK(views[0].external == std::vector{*parse_address("203.0.113.1")});
  CHECK_FALSE(views[1].v4);
  CHECK(views[1].translated == false);
  CHECK(views[1].mapping == kind::none);
}

TEST_CASE("a second server's answer on the same socket tells the mapping") {
  std::vector all{seen("10.0.0.1:5000", "198.51.100.1:3478", "203.0.113.1:6000"),
                  seen("10.0.0.1:5000", "198.51.100.2:3478", "203.0.113.1:6000")};
  CHECK(view_nat(all)[0].mapping == kind::independent);
  all.push_back(seen("10.0.0.1:5001", "198.51.100.1:3478", "203.0.113.1:6001"));
  CHECK(view_nat(all)[0].mapping == kind::independent);
  all.push_back(seen("10.0.0.1:5001", "198.51.100.2:3478", "203.0.113.1:6002"));
  CHECK(view_nat(all)[0].mapping == kind::dependent);
  CHECK(view_nat(all)[0].seen.size() == 4);
}
