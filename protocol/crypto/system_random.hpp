#pragma once

// The operating system's CSPRNG, by OpenSSL's RAND_bytes; ends the program if it fails.

#include "protocol/base/random.hpp"

namespace nat::crypto {

class system_random final : public random_source {
 public:
  void fill(byte_span out) override;
};

}  // namespace nat::crypto
