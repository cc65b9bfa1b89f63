// Signed tokens. The first octet chooses: the rest is a token as it comes, and what is accepted of
// that bears our signature; or header and claims, a line each, that are signed here, and what is
// accepted of those is within its limits.

#include "protocol/base/ensure.hpp"
#include "signaling/hub/access.hpp"
#include "signaling/io/signed_tokens.hpp"
#include "tests/signaling/io/signed_token_maker.hpp"

using namespace nat;
using nat::hub::access;

namespace {

const std::string secret = "the secret of all seeds, 32 octets or more";

const signaling::io::signed_tokens& verifier() {
  static const auto made = [] {
    auto out = std::make_unique<signaling::io::signed_tokens>("here", "sub");
    ensure(!out->add_key(secret));
    ensure(!out->add_key(test::rsa_pair().public_pem));
    ensure(!out->add_key(test::ec_pair().public_pem));
    return out;
  }();
  return *made;
}

// The last character's spare bits are not the signature's.
bool bears_signature(std::string_view token) {
  const auto dot = token.rfind('.');
  const auto mac = crypto::hmac_sha256(as_bytes(secret), {as_bytes(token.substr(0, dot))});
  const auto expected = test::base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
  const auto given = token.substr(dot + 1);
  return given.substr(0, expected.size() - 1) == expected.substr(0, expected.size() - 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] & 1) {
    if (verifier().verify(text)) ensure(bears_signature(text));
    return 0;
  }
  const auto line = text.find('\n');
  if (line == text.npos) return 0;
  const auto token = test::handmade_token(text.substr(0, line), text.substr(line + 1), secret);
  if (const auto claims = verifier().verify(token)) {
    ensure(claims->expires >= 0 && claims->names.size() <= access::max_patterns);
    for (const auto& name : claims->names) ensure(name.size() <= access::max_pattern_length);
  }
  return 0;
}
