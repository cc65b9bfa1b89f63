#include "protocol/base/base64.hpp"

#include "tests/check.hpp"

TEST_CASE("RFC 4648, section 10") {
  CHECK(nat::to_base64(nat::as_bytes("")) == "");
  CHECK(nat::to_base64(nat::as_bytes("f")) == "Zg==");
  CHECK(nat::to_base64(nat::as_bytes("fo")) == "Zm8=");
  CHECK(nat::to_base64(nat::as_bytes("foo")) == "Zm9v");
  CHECK(nat::to_base64(nat::as_bytes("foob")) == "Zm9vYg==");
  CHECK(nat::to_base64(nat::as_bytes("fooba")) == "Zm9vYmE=");
  CHECK(nat::to_base64(nat::as_bytes("foobar")) == "Zm9vYmFy");
  CHECK(nat::to_base64(nat::test::from_hex("fbefff")) == "++//");
}
