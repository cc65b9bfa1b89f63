#include "stun/credentials.hpp"

#include <algorithm>
#include <string>

#include "stun/message.hpp"
#include "tests/check.hpp"
#include "tests/vectors/rfc5769.hpp"
#include "tests/vectors/rfc8489.hpp"

using namespace nat;
using namespace nat::stun;
using nat::test::from_hex;
namespace v5769 = nat::test::rfc5769;
namespace v8489 = nat::test::rfc8489;

namespace {

std::string_view text(const std::array<char, nonce_cookie_size>& cookie) {
  return {cookie.data(), cookie.size()};
}

}  // namespace

TEST_CASE("keys: the example of RFC 8489, 9.2.2, and the vector of RFC 5769, 2.4") {
  const auto key = make_long_term_key(password_algorithm::md5, "user", "realm", "pass");
  CHECK(std::ranges::equal(key.view(), from_hex("8493fbc53ba582fb4c044c456bdc40eb")));

  const auto raw = from_hex(v5769::long_term_request);
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  CHECK(view->authenticate(make_long_term_key(password_algorithm::md5, v5769::long_term_username,
                                              v5769::long_term_realm, v5769::long_term_password)
                               .view()));
}

TEST_CASE("keys: RFC 8489, B.1 with SHA-256 and USERHASH, read and written") {
  const auto raw = from_hex(v8489::request);
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  const auto key = make_long_term_key(password_algorithm::sha256, v5769::long_term_username,
                                      v5769::long_term_realm, v5769::long_term_password);
  CHECK(key.size == 32);
  CHECK(view->authenticate(key.view()));
  const auto hash = make_userhash(v5769::long_term_username, v5769::long_term_realm);
  CHECK(std::ranges::equal(*view->get<attr::userhash>(), hash));
  CHECK(view->get<attr::password_algorithm>() == password_algorithm::sha256);

  std::array<std::byte, 256> room;
  const auto again = message_writer(room, binding_request, view->id())
                         .put<attr::userhash>(hash)
                         .put<attr::nonce>(v8489::nonce)
                         .put<attr::realm>(v5769::long_term_realm)
                         .put<attr::password_algorithm>(password_algorithm::sha256)
                         .finish_signed(key.view(), integrity::sha256, false);
  REQUIRE(again);
  CHECK(std::ranges::equal(*again, raw));
}

TEST_CASE("opaque strings: what is changed, what is kept, what is refused") {
  CHECK(opaque_string("correct horse ~!") == "correct horse ~!");
  CHECK(opaque_string(v5769::long_term_username) == v5769::long_term_username);
  CHECK(opaque_string("a\xc2\xa0"
                      "b\xe3\x80\x80"
                      "c") == "a b c");                            // U+00A0, U+3000
  CHECK(opaque_string("\xf0\x9f\x94\x91") == "\xf0\x9f\x94\x91");  // U+1F511
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("a\0b", 3), std::string_view("line\n"),
        std::string_view("\x7f"), std::string_view("\xc2\x80"),              // controls
        std::string_view("\x80"), std::string_view("\xff"),                  // no lead octet
        std::string_view("\xc3"), std::string_view("\xe3\x83"),              // cut short
        std::string_view("\xc3("), std::string_view("\xc1\xbf"),             // overlong
        std::string_view("\xe0\x80\x80"), std::string_view("\xed\xa0\x80"),  // surrogate
        std::string_view("\xf4\x90\x80\x80"), std::string_view("\xf8\x88\x80\x80\x80")}) {
    CAPTURE(bad);
    CHECK_FALSE(opaque_string(bad));
  }
}

TEST_CASE("nonce cookie: written as erratum 6290 says, read in either order") {
  CHECK(text(make_nonce_cookie({})) == "obMatJos2AAAA");
  CHECK(text(make_nonce_cookie({.username_anonymity = true})) == "obMatJos2AAAC");
  CHECK(text(make_nonce_cookie({true, true})) == "obMatJos2AAAD");
  CHECK(read_nonce_cookie(v8489::nonce) == security_features{false, true});
  CHECK(read_nonce_cookie("obMatJos2gAAA") == security_features{true, false});
  CHECK(read_nonce_cookie("obMatJos2wAAAmore") == security_features{true, true});
  CHECK(read_nonce_cookie("obMatJos2f//9") == security_features{true, true});  // and unassigned
  CHECK(read_nonce_cookie("obMatJos2f//8") == security_features{false, true});
  for (const bool algorithms : {false, true}) {
    for (const bool anonymity : {false, true}) {
      const security_features features{algorithms, anonymity};
      CHECK(read_nonce_cookie(text(make_nonce_cookie(features))) == features);
    }
  }
  CHECK_FALSE(read_nonce_cookie("obMatJos2AAA"));
  CHECK_FALSE(read_nonce_cookie("obMatJos2AA=A"));
  CHECK_FALSE(read_nonce_cookie(v5769::long_term_nonce));
}

TEST_CASE("password algorithms: the server's first that we have") {
  using enum password_algorithm;
  CHECK(choose_algorithm(offered_algorithms()) == sha256);
  CHECK(choose_algorithm(from_hex("0001 0000 0002 0000")) == md5);
  // An unknown one with parameters in front, padded to 4.
  CHECK(choose_algorithm(from_hex("0099 0005 0102030405000000 0002 0000")) == sha256);
  CHECK_FALSE(choose_algorithm(from_hex("0099 0000")));
  CHECK_FALSE(choose_algorithm({}));
  CHECK_FALSE(choose_algorithm(from_hex("0099 ffff 0002 0000")));
  CHECK_FALSE(choose_algorithm(from_hex("0002")));
  CHECK_FALSE(choose_algorithm(from_hex("0002 0001 aa000000")));  // SHA-256 takes no parameters
}
