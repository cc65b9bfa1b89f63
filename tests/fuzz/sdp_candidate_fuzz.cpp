// Any text as a candidate line: what is read, once written, reads the same.

#include <cstdint>

#include "protocol/base/ensure.hpp"
#include "protocol/sdp/candidate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto c = nat::sdp::parse_candidate(text)) {
    nat::ensure(nat::sdp::parse_candidate(nat::sdp::to_string(*c)) == c);
  }
  return 0;
}
