// Any text as a session description: what is read, once written, reads the same, and it is inside
// the bounds that the header promises.

#include <cstdint>

#include "protocol/base/ensure.hpp"
#include "protocol/sdp/description.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto d = nat::sdp::parse(text);
  if (!d) {
    nat::ensure(!d.error().message.empty());
    return 0;
  }
  nat::ensure(d->candidates.size() <= 256 && !d->fingerprints.empty() &&
              d->fingerprints.size() <= 8);
  nat::ensure(nat::sdp::parse(nat::sdp::to_string(*d)) == *d);
  return 0;
}
