#pragma once

// Whether a gateway has lost its mappings, told from the epoch in its answers (RFC 6887, 8.5;
// NAT-PMP's rule, RFC 6886, 3.6, is the laxer half of it).

#include <cstdint>
#include <optional>

#include "protocol/base/time.hpp"

namespace nat::portmap {

class epoch_watch {
 public:
  // True where `epoch` can't be the continuation of what was seen before; it is what counts then.
  bool restarted(std::uint32_t epoch, time_point now) noexcept;

 private:
  struct sample {
    std::uint32_t server;
    time_point ours;
  };
  std::optional<sample> last_;
};

}  // namespace nat::portmap
