#include "protocol/crypto/system_random.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <limits>

#include "protocol/base/ensure.hpp"

namespace nat::crypto {

void system_random::fill(byte_span out) {
  constexpr std::size_t most = std::numeric_limits<int>::max();
  while (!out.empty()) {
    const auto count = std::min(out.size(), most);
    ensure(RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) == 1);
    out = out.subspan(count);
  }
}

}  // namespace nat::crypto
