#include "signaling/io/access_file.hpp"

#include "signaling/io/files.hpp"
#include "signaling/io/signed_tokens.hpp"
#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

namespace {

std::shared_ptr<const signed_tokens> read_keys(const options& o) {
  if (o.jwt_keys.empty()) return nullptr;
  auto keys = std::make_shared<signed_tokens>(o.jwt_audience, o.jwt_names_claim);
  for (const auto& file : o.jwt_keys) {
    if (const auto wrong = keys->add_key(content_of("--jwt-key", file))) {
      throw startup_error{"--jwt-key " + file + ": " + *wrong};
    }
  }
  return keys;
}

hub::access read_tokens(const options& o, random_source& random) {
  const bool from_file = !o.token_file.empty();
  if (!from_file && !o.tokens) return hub::access(random);
  auto policy =
      hub::access::parse(from_file ? content_of("--token-file", o.token_file) : *o.tokens, random);
  if (!policy) {
    throw startup_error{(from_file ? o.token_file : std::string("SIGNALING_TOKENS")) + ": " +
                        policy.error()};
  }
  return std::move(*policy);
}

}  // namespace

std::shared_ptr<const hub::access> read_access(const options& o, random_source& random) {
  if (o.token_file.empty() && !o.tokens && o.jwt_keys.empty()) return nullptr;
  auto policy = std::make_shared<hub::access>(read_tokens(o, random));
  policy->accept_signed(read_keys(o));
  return policy;
}

}  // namespace nat::signaling::io
