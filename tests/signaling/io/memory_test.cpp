// What bounds the memory of a whole server: the budget of its connections, the inboxes of its
// loops.

#include "signaling/io/inbox.hpp"
#include "signaling/io/memory_budget.hpp"
#include "tests/check.hpp"

namespace nat::signaling::io {
namespace {

using type = hub::envelope::type;
using outcome = inbox::outcome;

hub::envelope envelope_of(type what, std::size_t octets = 0) {
  return {.what = what, .to = {}, .from = {}, .text = std::string(octets, 'x')};
}

TEST_CASE("an inbox tells the first one apart, and gives all in order") {
  inbox box;
  for (int round = 0; round < 2; ++round) {
    auto a = envelope_of(type::deliver, 1), b = envelope_of(type::busy, 2);
    CHECK(box.put(a) == outcome::first);
    CHECK(box.put(b) == outcome::more);
    const auto all = box.take();
    REQUIRE(all.size() == 2);
    CHECK(all[0].text == "x");
    CHECK(all[1].what == type::busy);
    CHECK(box.take().empty());
  }
}

TEST_CASE("an inbox is full of messages by their number or by their octets, never of refusals") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{65'536}}) {
    inbox box;
    std::size_t put = 0;
    auto e = envelope_of(type::deliver, size);
    while (box.put(e) != outcome::full) {
      ++put;
      e = envelope_of(type::deliver, size);
    }
    CHECK(put == (size == 0 ? inbox::max_messages : inbox::max_octets / size));
    CHECK(e.text.size() == size);  // it can go back
    auto refusal = envelope_of(type::busy);
    CHECK(box.put(refusal) == outcome::more);
    CHECK(box.take().size() == put + 1);
    CHECK(box.put(e) == outcome::first);
  }
}

TEST_CASE("a budget adds up what its shares hold, and forgets who has gone") {
  memory_budget budget(100, 2);
  {
    budget_share a(budget), b(budget);
    a.set(60);
    b.set(40);
    CHECK_FALSE(budget.spent());
    b.set(41);
    CHECK(budget.spent());
    a.set(10);
    CHECK(budget.used() == 51);
  }
  CHECK(budget.used() == 0);
  memory_budget none(0, 1);
  budget_share c(none);
  c.set(1U << 30);
  CHECK_FALSE(none.spent());
}

TEST_CASE("the fullest go first, and no more of them than need be") {
  std::vector<std::size_t> ended;
  const auto run = [&](const std::vector<std::size_t>& sizes, std::size_t part) {
    ended.clear();
    std::vector<keeper> all;
    for (const auto size : sizes) all.push_back({size, [&, size] { ended.push_back(size); }});
    end_fullest(std::move(all), part);
    return ended;
  };
  using sizes = std::vector<std::size_t>;
  CHECK(run({10, 50, 20}, 80) == sizes{});
  CHECK(run({10, 50, 21}, 80) == sizes{50});
  CHECK(run({1, 50, 2, 50, 3}, 60) == sizes{50, 50});
  CHECK(run({1, 40, 2, 50, 3}, 64) == sizes{50});
  CHECK(run({}, 0) == sizes{});
}

}  // namespace
}  // namespace nat::signaling::io
