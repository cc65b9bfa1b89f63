#include "protocol/crypto/system_random.hpp"

#include <algorithm>
#include <set>

#include "tests/check.hpp"

using namespace nat;

TEST_CASE("system_random: fills all of it, and differently each time") {
  crypto::system_random random;
  std::set<bytes> seen;
  for (int i = 0; i < 100; ++i) {
    bytes out(16);
    random.fill(out);
    seen.insert(out);
  }
  CHECK(seen.size() == 100);
  bytes large(4096);
  random.fill(large);
  // 64 zero octets in a row in random data: less likely than the machine failing.
  CHECK(std::ranges::search_n(large, 64, std::byte{}).empty());
  random.fill({});
}
