#include "signaling/io/access_file.hpp"

#include "signaling/io/files.hpp"
#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

std::shared_ptr<const hub::access> read_access(const options& o, random_source& random) {
  const bool from_file = !o.token_file.empty();
  if (!from_file && !o.tokens) return nullptr;
  auto policy =
      hub::access::parse(from_file ? content_of("--token-file", o.token_file) : *o.tokens, random);
  if (!policy) {
    throw startup_error{(from_file ? o.token_file : std::string("SIGNALING_TOKENS")) + ": " +
                        policy.error()};
  }
  return std::make_shared<const hub::access>(std::move(*policy));
}

}  // namespace nat::signaling::io
