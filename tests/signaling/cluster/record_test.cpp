#include "signaling/cluster/record.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::cluster;

namespace {

std::string publication() {
  std::string out;
  append_record(out, "D 77 1 5 " + route_record(9, "abc", {0, 3, 12}, hub::request_type::offer,
                                                "bob", R"({"type":"offer","sdp":"a b"})"));
  append_record(out, "A 10");
  append_record(out, "N 11 0 3 12 3 bob");
  append_record(out, "S 13 1 2 al");
  append_record(out, "P");
  return out;
}

}  // namespace

TEST_CASE("cluster records: what was written is read") {
  const auto text = publication();
  std::vector<record> all;
  CHECK(read_records(text, [&](const record& r) { all.push_back(r); }));
  REQUIRE(all.size() == 5);
  CHECK(all[0].what == 'D');
  CHECK(all[0].to == hub::owner{1, 5, 77});
  CHECK(all[0].request == hub::request_type::offer);
  CHECK(all[0].target == "bob");
  CHECK(all[0].text == R"({"type":"offer","sdp":"a b"})");
  CHECK(all[1].id == 10);
  CHECK(all[2].to == hub::owner{0, 3, 12});
  CHECK(all[3].to == hub::owner{1, 2, 13});

  const auto yes = answer_to(
      {.what = hub::envelope::type::accepted, .to = {}, .from = {}, .origin = all[0].origin});
  REQUIRE(yes);
  CHECK(yes->node == "abc");
  CHECK(yes->body == "A 9");
  const auto no = answer_to({.what = hub::envelope::type::not_found,
                             .to = {},
                             .from = {},
                             .request = hub::request_type::offer,
                             .target = "bob",
                             .origin = all[0].origin});
  REQUIRE(no);
  CHECK(no->body == "N 9 0 3 12 1 bob");
  CHECK_FALSE(answer_to({.what = hub::envelope::type::accepted, .to = {}, .from = {}}));
}

TEST_CASE("cluster records: cut or changed anywhere, they are refused or read as something else") {
  const auto text = publication();
  for (std::size_t size = 0; size < text.size(); ++size) {
    std::size_t told = 0;
    const bool good =
        read_records(std::string_view(text).substr(0, size), [&](const record&) { ++told; });
    CHECK(told < 5);
    CHECK((good || told < 5));
  }
  test::seeded_random random(3);
  for (int i = 0; i < 20'000; ++i) {
    auto changed = text;
    changed[random_below(random, changed.size())] = static_cast<char>(random_below(random, 256));
    std::size_t told = 0;
    (void)read_records(changed, [&](const record& r) {
      ++told;
      CHECK(r.target.size() <= 64);
      CHECK(static_cast<std::size_t>(r.request) < hub::request_types);
    });
    CHECK(told <= changed.size() / 3);
  }
  CHECK_FALSE(read_records("99999999999999999999:A 1", [](const record&) {}));
  CHECK_FALSE(read_records("3:X 1", [](const record&) {}));
  CHECK_FALSE(read_records("2:A ", [](const record&) {}));
}
