#include "signaling/websocket/handshake.hpp"

#include "signaling/websocket/utf8.hpp"
#include "tests/check.hpp"

namespace nat::websocket {
namespace {

TEST_CASE("the example of RFC 6455, 1.3") {
  CHECK(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
  CHECK(accept_for("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  for (const char* bad : {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ=A",
                          "dGhlIHNhbXBsZSBub25jZ ==", "dGhlIHNhbXBsZSBub25jZQ==="}) {
    CHECK_FALSE_MESSAGE(is_key(bad), bad);
  }
}

TEST_CASE("UTF-8 at its edges (RFC 3629)") {
  for (const char* good : {"", "plain", "12345678\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
                           "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
                           "\xf4\x8f\xbf\xbf", "12345678\xe2\x82\xac 12345678"}) {
    CHECK_MESSAGE(is_utf8(good), good);
  }
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2 ", "\xe0\x9f\xbf", "\xe0\xa0",
        "\xe0\xa0 ", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff", "1234567\x80", "12345678\xff"}) {
    CHECK_FALSE_MESSAGE(is_utf8(bad), bad);
  }
}

}  // namespace
}  // namespace nat::websocket
