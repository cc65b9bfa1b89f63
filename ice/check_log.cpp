#include "ice/check_log.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"

namespace nat::ice {

check_log::check_log(random_source& random) {
  renew(random);
}

void check_log::renew(random_source& random) {
  random.fill(prefix_);
  next_ = 0;
  slots_ = {};
}

stun::transaction_id check_log::record(const sent_check& check, random_source& random) {
  // Sequence numbers never repeat under one prefix, or an old answer could pass for a fresh one.
  if (next_ == UINT16_MAX) renew(random);
  stun::transaction_id id;
  std::ranges::copy(prefix_, id.octets.begin());
  store_be(byte_span(id.octets), prefix_.size(), next_);
  slots_[next_ % remembered] = {check, true};
  ++next_;
  return id;
}

bool check_log::owns(const stun::transaction_id& id) const noexcept {
  return std::equal(prefix_.begin(), prefix_.end(), id.octets.begin()) &&
         load_be<std::uint16_t>(id.octets, prefix_.size()) < next_;
}

std::optional<check_log::answer> check_log::take_answer(const stun::transaction_id& id) noexcept {
  if (!owns(id)) return std::nullopt;
  const auto sequence = load_be<std::uint16_t>(id.octets, prefix_.size());
  if (next_ - sequence > static_cast<int>(remembered)) {
    return answer{std::nullopt, slots_[next_ % remembered].check.at};
  }
  auto& found = slots_[sequence % remembered];
  if (!found.open) return std::nullopt;
  found.open = false;
  return answer{found.check, found.check.at};
}

}  // namespace nat::ice
