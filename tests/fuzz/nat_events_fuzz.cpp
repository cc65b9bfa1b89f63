// What a peer, or a file, may say of its NAT: whatever reads can be held against another NAT and
// shown on a terminal.

#include <algorithm>

#include "peer-cli/commands/nat_file.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/base/ensure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nat;
  const auto read = commands::read_nat_events(as_text(std::as_bytes(std::span(data, size))));
  if (!read) {
    ensure(!read.error().empty());
    return 0;
  }
  ensure(read->size() == 1 || (read->size() == 2 && read->front().v4 != read->back().v4));
  for (const auto& one : *read) {
    ensure(one.name.size() <= 64);
    ensure(std::ranges::all_of(one.name, [](char c) { return c >= ' ' && c <= '~'; }));
    ensure(one.peer.empty());
    for (const auto& advice : behavior::advise(one.what)) ensure(!advice.peer.empty());
    const bool told = behavior::forecast(one.what, one.what) != behavior::way::unknown;
    const auto unlearned = commands::unlearned_of(one.what);
    ensure(told || !unlearned.empty());
  }
  return 0;
}
