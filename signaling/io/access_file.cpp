#include "signaling/io/access_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

namespace {

std::string content_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw startup_error{"failed to read --token-file " + file + ": " + std::strerror(errno)};
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::shared_ptr<const hub::access> read_access(const options& o, random_source& random) {
  const bool from_file = !o.token_file.empty();
  if (!from_file && !o.tokens) return nullptr;
  auto policy = hub::access::parse(from_file ? content_of(o.token_file) : *o.tokens, random);
  if (!policy) {
    throw startup_error{(from_file ? o.token_file : std::string("SIGNALING_TOKENS")) + ": " +
                        policy.error()};
  }
  return std::make_shared<const hub::access>(std::move(*policy));
}

}  // namespace nat::signaling::io
