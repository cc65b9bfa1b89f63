// CPace against a peer that knows no secret: whatever it sends, in whatever order, the run is never
// confirmed, and ends at the first message that does not belong there. Input: messages with a
// length octet before each.

#include <algorithm>
#include <cstdint>

#include "protocol/base/ensure.hpp"
#include "protocol/pake/cpace.hpp"

namespace {

struct counting_random final : nat::random_source {
  void fill(nat::byte_span out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(++state * 151);
  }
  unsigned state = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nat::pake;
  counting_random random;
  cpace end(role::responder, nat::as_bytes("secret"), nat::as_bytes("channel"), {}, random);
  auto input = std::as_bytes(std::span(data, size));
  std::size_t answers = 0;
  while (!input.empty()) {
    const auto length =
        std::min<std::size_t>(std::to_integer<std::size_t>(input[0]), input.size() - 1);
    const bool was_over = end.state() == state::failed;
    const auto answer = end.handle(input.subspan(1, length));
    if (answer) ++answers;
    nat::ensure(end.state() != state::confirmed);
    nat::ensure(!was_over || (!answer && end.state() == state::failed));
    input = input.subspan(1 + length);
  }
  nat::ensure(answers <= 1);
  return 0;
}
