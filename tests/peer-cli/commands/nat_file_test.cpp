#include "peer-cli/commands/nat_file.hpp"

#include <algorithm>

#include "peer-cli/commands/nat_report.hpp"
#include "peer-cli/session/nat_question.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::commands;
using behavior::dependence;
using behavior::port_choice;

namespace {

peer_io::behavior_result behind_symmetric_nat(bool v4) {
  peer_io::behavior_result r;
  r.v4 = v4;
  r.verdict.udp = true;
  r.verdict.translated = true;
  r.verdict.mapping = dependence::address_and_port;
  r.verdict.mapping_depends = true;
  r.verdict.filtering = dependence::address;
  r.verdict.ports.kind = port_choice::random;
  r.verdict.hairpin = false;
  r.verdict.local = {make_v4(0x0a00'0001)};
  return r;
}

}  // namespace

TEST_CASE("nat answer: what a listener tells is what a forecast reads, one line a family") {
  const auto text = nat_answer({behind_symmetric_nat(true), behind_symmetric_nat(false)});
  CHECK(std::ranges::count(text, '\n') == 2);
  CHECK(text.size() < session::max_nat_answer_bytes);
  const auto read = read_nat_events(text);
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK(((*read)[0].v4 && !(*read)[1].v4));
  for (const auto& one : *read) {
    CHECK(one.name == "symmetric");
    CHECK(one.what.udp);
    CHECK(one.what.mapping == dependence::address_and_port);
    CHECK(one.what.mapping_depends);
    CHECK(one.what.filtering == dependence::address);
    CHECK(one.what.ports == port_choice::random);
    CHECK(unlearned_of(one.what).empty());
  }
}

TEST_CASE("nat answer: no address of this host is told") {
  const auto text = nat_answer({behind_symmetric_nat(true)});
  for (const char* name : {"10.0.0.1", "public", "tests", "server", "address\"", "port\""}) {
    CHECK(text.find(name) == std::string::npos);
  }
}

TEST_CASE("nat answer: nothing known is told as nothing known, and forecasts nothing") {
  const auto read = read_nat_events(nat_answer({{}}));
  REQUIRE(read);
  const auto& other = read->front().what;
  CHECK(unlearned_of(other) == std::vector<std::string_view>{"mapping", "filtering"});
  const auto ours = profile_of(behind_symmetric_nat(true).verdict);
  CHECK(behavior::forecast(ours, other) == behavior::way::unknown);
}

TEST_CASE("nat answer: blocked UDP leaves nothing to learn") {
  peer_io::behavior_result r;
  r.verdict.udp_blocked = true;
  const auto read = read_nat_events(nat_answer({r}));
  REQUIRE(read);
  CHECK_FALSE(read->front().what.udp);
  CHECK(unlearned_of(read->front().what).empty());
}

TEST_CASE("nat events: what is no event is no result, cut off anywhere") {
  const auto whole = nat_answer({behind_symmetric_nat(true)});
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    CHECK_FALSE(read_nat_events(std::string_view(whole).substr(0, size)));
  }
  const std::string deep(session::max_nat_answer_bytes, '[');
  for (const std::string_view text :
       {std::string_view(), std::string_view("How does your NAT behave?"), std::string_view("\n\n"),
        std::string_view("null"), std::string_view("[]"), std::string_view("\xff\xfe"),
        std::string_view(R"({"event":"nat"})"), std::string_view(R"({"event":7})"),
        std::string_view(R"({"event":"nat","mapping":"x","filtering":"x","port_allocation":"x"})"),
        std::string_view(deep)}) {
    CHECK_FALSE(read_nat_events(text));
  }
}

TEST_CASE("nat events: the last of a family counts, and one that is wrong spoils all") {
  auto text = nat_answer({behind_symmetric_nat(true), {}});
  const auto read = read_nat_events(text);
  REQUIRE(read);
  REQUIRE(read->size() == 1);
  CHECK(read->front().what.mapping == dependence::unknown);
  CHECK_FALSE(read_nat_events(text + R"({"event":"nat","mapping":null})"));
}

TEST_CASE("nat events: a name is shown without what a terminal would obey, and never long") {
  auto text = nat_answer({behind_symmetric_nat(true)});
  const std::string name = R"("symmetric")";
  const auto at = text.rfind(name);
  REQUIRE(at != std::string::npos);
  const auto named = [&](const std::string& as) {
    return read_nat_events(std::string(text).replace(at, name.size(), '"' + as + '"'))
        ->front()
        .name;
  };
  CHECK(named(R"(a\u001b[2J\nb\u009bc)") == "a[2Jbc");
  CHECK(named(std::string(1'000, 'x')) == std::string(64, 'x'));
}
