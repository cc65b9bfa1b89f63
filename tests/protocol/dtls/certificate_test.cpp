#include "protocol/dtls/certificate.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::dtls;

TEST_CASE("a fingerprint reads back as it was written") {
  const certificate one;
  const auto& f = one.fingerprint();
  CHECK(f.algorithm == "sha-256");
  CHECK(f.digest.size() == 32);
  const auto text = to_string(f);
  CHECK(text.size() == 8 + 32 * 3 - 1);
  CHECK(parse_fingerprint(text) == f);
}

TEST_CASE("each certificate is another, and stays the same when moved") {
  certificate one;
  const certificate two;
  CHECK(one.fingerprint() != two.fingerprint());
  const auto before = one.fingerprint();
  const certificate moved(std::move(one));
  CHECK(moved.fingerprint() == before);
}

TEST_CASE("fingerprints are read as RFC 8122 writes them, in either case") {
  const auto upper = parse_fingerprint(
      "sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"
      "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF");
  const auto lower = parse_fingerprint(
      "SHA-256 00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:"
      "10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:ff");
  REQUIRE(upper);
  CHECK(upper == lower);
  CHECK(upper->digest.back() == std::byte{0xff});
  CHECK(to_string(*upper).substr(0, 13) == "sha-256 00:01");
}

TEST_CASE("what is no fingerprint is refused") {
  const std::string octets(31 * 3, 'A');
  for (const auto* text : {"", " ", "sha-256", "sha-256 ", "sha-256 AB", "sha-1 AB:CD", "md5 AB:CD",
                           "sha-256 zz:zz"}) {
    CHECK_FALSE(parse_fingerprint(text));
  }
  const auto good = to_string(certificate().fingerprint());
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    CHECK_FALSE(parse_fingerprint(std::string_view(good).substr(0, cut)));
  }
  CHECK_FALSE(parse_fingerprint(good + ":AA"));
  CHECK_FALSE(parse_fingerprint(good + " "));
  auto wrong_separator = good;
  wrong_separator[10] = '-';
  CHECK_FALSE(parse_fingerprint(wrong_separator));
}
