#include "protocol/pake/suite.hpp"

#include <algorithm>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::pake;
using nat::test::from_hex;

namespace {

// draft-irtf-cfrg-cpace, "Test vector for CPace using group ristretto255 and hash SHA-512".
const bytes sid = from_hex("7e4b4791d6a8ef019b936c79fb7f2c57");
const bytes ci = from_hex("0a41696e69746961746f720a42726573706f6e646572");
const bytes ya = from_hex("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08");
const bytes yb = from_hex("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d");
const bytes Ya = from_hex("383a85dd236978f17f8c8545b50dabc52a39fcdab2cf8bc531ce040ff77ca82d");
const bytes Yb = from_hex("a6206309c0e8e5f579295e35997ac4300ab3fecec3c17f7b604f3e698fa1383c");
const bytes K = from_hex("fa1d0318864e2cacb26875f1b791c9ae83204fe8359addb53e95a2e98893853f");

template <class T>
T fixed(byte_view from) {
  T out{};
  REQUIRE(from.size() == out.size());
  std::ranges::copy(from, out.begin());
  return out;
}

}  // namespace

TEST_CASE("lengths are LEB128") {
  CHECK(lv_cat({}) == bytes{});
  CHECK(lv_cat({byte_view{}}) == from_hex("00"));
  CHECK(lv_cat({as_bytes("1234")}) == from_hex("0431323334"));
  const bytes longest(127), longer(128), two_to_14(16'384);
  CHECK(lv_cat({longest})[0] == std::byte{0x7f});
  CHECK(to_bytes(byte_view(lv_cat({longer})).first(2)) == from_hex("8001"));
  CHECK(to_bytes(byte_view(lv_cat({two_to_14})).first(3)) == from_hex("808001"));
}

TEST_CASE("the draft's vectors hold at every step") {
  const auto g = generator(as_bytes("Password"), ci, sid);
  CHECK(to_bytes(g) ==
        from_hex("5e25411ca1ad7c9debfd0b33ad987a95cefef2d3f15dcc8bd26415a5dfe2e15a"));
  CHECK(to_bytes(multiply(fixed<scalar>(ya), g).value()) == Ya);
  CHECK(to_bytes(multiply(fixed<scalar>(yb), g).value()) == Yb);
  CHECK(to_bytes(multiply(fixed<scalar>(ya), fixed<element>(Yb)).value()) == K);
  CHECK(to_bytes(multiply(fixed<scalar>(yb), fixed<element>(Ya)).value()) == K);

  auto transcript = lv_cat({Ya, as_bytes("ADa")});
  std::ranges::copy(lv_cat({Yb, as_bytes("ADb")}), std::back_inserter(transcript));
  CHECK(to_bytes(session_key(sid, fixed<element>(K), transcript)) ==
        from_hex("e91ccb2c0f5e0d0993a33956e3be59754f3f2b07db57631f5394452e"
                 "a2e7b4354674eb1f5686c078462bf83bec72e8743df440108e638f35"
                 "26d9b90e85be096f"));
}

TEST_CASE("what is no element, or leads to the neutral one, is refused") {
  const auto s =
      fixed<scalar>(from_hex("7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05"));
  const auto valid = from_hex("2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
  const auto invalid = from_hex("2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
  CHECK(to_bytes(multiply(s, fixed<element>(valid)).value()) ==
        from_hex("7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e"));
  CHECK_FALSE(multiply(s, fixed<element>(invalid)));
  CHECK_FALSE(multiply(s, element{}));
}
