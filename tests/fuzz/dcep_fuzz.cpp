// DCEP messages of a peer: nothing that parses may read back differently.

#include <cstdint>

#include "protocol/base/ensure.hpp"
#include "protocol/datachannel/dcep.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nat::datachannel;
  const auto message = std::as_bytes(std::span(data, size));
  if (const auto options = parse_open(message)) {
    nat::ensure(is_open(message) && !is_ack(message));
    nat::ensure(options->label.size() <= max_name_bytes);
    nat::ensure(!(options->max_retransmits && options->max_lifetime_ms));
    nat::ensure(parse_open(make_open(*options)) == options);
  }
  return 0;
}
