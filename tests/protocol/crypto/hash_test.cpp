#include <algorithm>

#include "protocol/crypto/crc32.hpp"
#include "protocol/crypto/hmac.hpp"
#include "tests/check.hpp"

using namespace nat;
using nat::test::from_hex;

namespace {

bytes filled(std::size_t count, int octet) {
  return bytes(count, static_cast<std::byte>(octet));
}

bool is(byte_view digest, std::string_view hex) {
  return std::ranges::equal(digest, from_hex(hex));
}

}  // namespace

TEST_CASE("hmac: RFC 2202 and RFC 4231 vectors") {
  using namespace nat::crypto;
  CHECK(is(hmac_sha1(filled(20, 0x0b), {as_bytes("Hi There")}),
           "b617318655057264e28bc0b6fb378c8ef146be00"));
  CHECK(is(hmac_sha1(as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")}),
           "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
  CHECK(is(hmac_sha1(filled(80, 0xaa),
                     {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")}),
           "aa4ae5e15272d00e95705637ce8a3b55ed402112"));
  CHECK(is(hmac_sha256(filled(20, 0x0b), {as_bytes("Hi There")}),
           "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
  CHECK(is(hmac_sha256(as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")}),
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  CHECK(is(hmac_sha256(filled(131, 0xaa),
                       {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")}),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

TEST_CASE("plain digests: of nothing, and of \"abc\" in parts") {
  using namespace nat::crypto;
  CHECK(is(sha1({}), "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
  CHECK(is(sha1({as_bytes("a"), {}, as_bytes("bc")}), "a9993e364706816aba3e25717850c26c9cd0d89d"));
  CHECK(is(sha256({as_bytes("ab"), as_bytes("c")}),
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  CHECK(is(md5({as_bytes("abc")}), "900150983cd24fb0d6963f7d28e17f72"));
}

TEST_CASE("hmac: every cut of the input gives the same") {
  nat::test::seeded_random random;
  bytes data(200), key(24);
  random.fill(data);
  random.fill(key);
  const auto whole = crypto::hmac_sha1(key, {data});
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    const byte_view view = data;
    CHECK(crypto::hmac_sha1(key, {view.first(cut), view.subspan(cut)}) == whole);
  }
  CHECK(crypto::hmac_sha1(byte_view(key).first(23), {data}) != whole);
}

TEST_CASE("equal_constant_time") {
  const auto a = filled(20, 1);
  auto b = a;
  CHECK(crypto::equal_constant_time(a, b));
  CHECK(crypto::equal_constant_time({}, {}));
  CHECK_FALSE(crypto::equal_constant_time(a, byte_view(b).first(19)));
  for (std::size_t i = 0; i < b.size(); ++i) {
    b[i] ^= std::byte{0x80};
    CHECK_FALSE(crypto::equal_constant_time(a, b));
    b[i] ^= std::byte{0x80};
  }
}

TEST_CASE("crc32: the check value, and agreement with the definition at every length") {
  CHECK(crypto::crc32(as_bytes("123456789")) == 0xCBF43926);
  CHECK(crypto::crc32({}) == 0);
  // Bit by bit, as ISO 3309 defines it.
  const auto slow = [](byte_view data) {
    std::uint32_t remainder = 0xffffffff;
    for (const auto octet : data) {
      remainder ^= std::to_integer<std::uint32_t>(octet);
      for (int i = 0; i < 8; ++i) {
        remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0xEDB88320 : 0);
      }
    }
    return ~remainder;
  };
  nat::test::seeded_random random;
  bytes data(512);
  random.fill(data);
  const byte_view view = data;
  for (std::size_t length = 0; length <= 300; ++length) {
    for (std::size_t offset : {0, 1, 3, 7}) {
      CAPTURE(length);
      CAPTURE(offset);
      CHECK(crypto::crc32(view.subspan(offset, length)) == slow(view.subspan(offset, length)));
    }
    CHECK(crypto::crc32(view.subspan(length), crypto::crc32(view.first(length))) == slow(view));
  }
}
