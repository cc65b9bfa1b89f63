#include "protocol/sctp/packet.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"

namespace nat::sctp {

std::optional<chunk> chunk_reader::next() noexcept {
  if (rest_.size() < 4) return std::nullopt;
  const std::size_t length = load_be<std::uint16_t>(rest_, 2);
  if (length < 4 || length > rest_.size()) return std::nullopt;
  const chunk out{static_cast<chunk_type>(rest_[0]), rest_.first(length)};
  rest_ = rest_.subspan(std::min(rest_.size(), (length + 3) & ~std::size_t{3}));
  return out;
}

bool is_lone_sack(byte_view packet) noexcept {
  chunk_reader chunks(packet);
  const auto first = chunks.next();
  return first && first->type == chunk_type::sack && !chunks.next();
}

}  // namespace nat::sctp
