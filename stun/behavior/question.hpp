#pragma once

// One request under way: its bytes, when it is sent again, and what an answer to it is worth.

#include <cstddef>
#include <optional>

#include "protocol/base/bytes.hpp"
#include "protocol/base/time.hpp"
#include "stun/behavior/exchange.hpp"
#include "stun/message.hpp"

namespace nat::behavior {

using socket_id = std::size_t;

// Larger than what Ethernet carries in one piece (RFC 5780, 7.6).
inline constexpr std::size_t padding_size = 1500;

struct question {
  exchange seen = {};
  socket_id through = 0;
  socket_id expected_at = 0;  // where a success comes in; hairpin: any socket
  stun::transaction_id id = {};
  bytes request = {};
  time_point first = {}, last = {}, next = {};
  bool due = true;  // to be sent

  [[nodiscard]] bool pending() const { return seen.what == outcome::pending; }
};

// SOFTWARE makes the request long enough for a server that answers no more than half again what it
// gets; nothing else goes in but what the exchange asks for.
[[nodiscard]] bytes write_request(const stun::transaction_id&, const exchange&);

// Whether `from` is a place that may answer: where it was sent, or elsewhere as CHANGE-REQUEST
// asks.
[[nodiscard]] bool may_answer(const exchange&, const endpoint& from) noexcept;

// Fills in what a response says. False: it says nothing that can be used.
bool take_answer(exchange&, const stun::message_view& response);

// What a server tells is a stranger's word. Something is sent there only where it is of the
// server's family and kind of place: none of the internet makes us knock at our own doors.
[[nodiscard]] bool is_plausible(const endpoint& server, const endpoint& told) noexcept;
// OTHER-ADDRESS: also another address and another port than the server's.
[[nodiscard]] bool is_plausible_other(const endpoint& server, const endpoint& other) noexcept;

}  // namespace nat::behavior
