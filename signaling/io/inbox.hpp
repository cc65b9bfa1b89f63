#pragma once

// What other threads have for one: envelopes, taken all at once. Bounded for messages of clients,
// by count and by octets. Refusals and takeovers always find room: there is one at most for each
// message and connection.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "signaling/hub/exchange.hpp"

namespace nat::signaling::io {

class inbox {
 public:
  static constexpr std::size_t max_messages = 16'384;
  static constexpr std::size_t max_octets = 16U << 20;

  enum class outcome : std::uint8_t {
    first,  // taken; whoever empties the inbox is to be told
    more,   // taken; it has been told already
    full,   // the envelope is left as it is
  };
  // From any thread.
  [[nodiscard]] outcome put(hub::envelope& e) {
    const auto size = e.text.size();
    const std::lock_guard hold(lock_);
    const bool room = all_.size() < max_messages && octets_ + size <= max_octets;
    if (e.what == hub::envelope::type::deliver && !room) return outcome::full;
    octets_ += size;
    all_.push_back(std::move(e));
    return all_.size() == 1 ? outcome::first : outcome::more;
  }
  [[nodiscard]] std::vector<hub::envelope> take() {
    const std::lock_guard hold(lock_);
    octets_ = 0;
    return std::exchange(all_, {});
  }

 private:
  std::mutex lock_;
  std::vector<hub::envelope> all_;
  std::size_t octets_ = 0;  // of their texts
};

}  // namespace nat::signaling::io
