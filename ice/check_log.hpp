#pragma once

// The checks sent on one pair: transaction ids and send times, in constant room.
//
// RFC 8489, 6.2.1 repeats one transaction id in every retransmission. Here each datagram has its
// own: ten random octets that belong to the pair, then a sequence number. So an answer to any of
// them is recognised however late it comes (a peer half a minute away still connects), and each
// gives an exact round trip, which Karn's rule would forbid for repeated ids.

#include <array>
#include <cstdint>
#include <optional>

#include "ice/candidate.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"
#include "stun/message.hpp"

namespace nat::ice {

class check_log {
 public:
  static constexpr std::size_t remembered = 16;

  explicit check_log(random_source&);

  struct sent_check {
    time_point at;
    role as = role::controlled;
    std::uint32_t nomination = 0;  // 0: without USE-CANDIDATE
  };
  [[nodiscard]] stun::transaction_id record(const sent_check&, random_source&);

  [[nodiscard]] bool owns(const stun::transaction_id&) const noexcept;

  // What an answer refers to. `check` is absent for one that went out more than `remembered` checks
  // ago: it proves that the path exists, and may have been kept back by someone since. Then
  // `sent_before` is when the oldest that is remembered went out.
  struct answer {
    std::optional<sent_check> check;
    time_point sent_before;
  };
  // nullopt: not from this pair, or answered before (a repetition proves nothing).
  [[nodiscard]] std::optional<answer> take_answer(const stun::transaction_id&) noexcept;

 private:
  struct slot {
    sent_check check;
    bool open = false;
  };
  void renew(random_source&);

  std::array<std::byte, 10> prefix_{};
  std::uint16_t next_ = 0;
  std::array<slot, remembered> slots_{};
};

}  // namespace nat::ice
