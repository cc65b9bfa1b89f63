// The messages of `ping` and `bench`, as a peer may send them: what reads, written again, is the
// same.

#include <algorithm>

#include "peer-cli/session/bench_message.hpp"
#include "peer-cli/session/pinger.hpp"
#include "protocol/base/ensure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nat;
  using namespace nat::session;
  const byte_view input = std::as_bytes(std::span(data, size));
  if (const auto ping = read_ping(input)) {
    const auto again = write(*ping);
    ensure(std::ranges::equal(again, input));
  }
  if (const auto bench = read_bench(input)) {
    const auto again = write(*bench);
    ensure(again.size() == input.size() && read_bench(again) == bench);
    const bool is_data = std::holds_alternative<bench_data>(*bench);
    ensure(is_data || std::ranges::equal(again, input));
  }
  return 0;
}
