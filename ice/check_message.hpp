#pragma once

// Connectivity checks as STUN messages: RFC 8445, 7.1 and 16.1; the answers, 7.3; and the
// `nomination` attribute of draft-thatcher-ice-renomination, which others skip (its number says
// "optional").

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ice/candidate.hpp"
#include "protocol/base/bytes.hpp"
#include "stun/message.hpp"

namespace nat::ice {

struct outgoing_check {
  stun::transaction_id id;
  std::string_view username;  // "theirs:ours"
  std::string_view password;  // theirs
  std::uint32_t priority = 0;
  ice::role role = role::controlled;
  std::uint64_t tie_breaker = 0;
  std::uint32_t nomination = 0;       // not 0: with USE-CANDIDATE
  bool nomination_attribute = false;  // and with its number
};
[[nodiscard]] bytes make_check(const outgoing_check&);

// `password` is ours in all answers: it keyed the request.
[[nodiscard]] bytes make_success(const stun::transaction_id&, const endpoint& from,
                                 std::string_view password);
[[nodiscard]] bytes make_role_conflict(const stun::transaction_id&, std::string_view password);
// 420, with the attributes of `request` that are not understood (RFC 8489, 6.3.1).
[[nodiscard]] bytes make_unknown_attribute(const stun::message_view& request,
                                           std::string_view password);

// "ours:theirs", as a request to us carries it.
struct username {
  std::string_view ours, theirs;
};
[[nodiscard]] std::optional<username> read_username(const stun::message_view&) noexcept;

// A check as the peer sent it. Fields that are missing don't make it wrong: a peer without PRIORITY
// is a peer all the same.
struct incoming_check {
  std::optional<ice::role> role;  // the peer's
  std::uint64_t tie_breaker = 0;
  std::optional<std::uint32_t> priority;
  bool use_candidate = false;
  std::optional<std::uint32_t> nomination;
};
[[nodiscard]] incoming_check read_check(const stun::authenticated_view&) noexcept;

}  // namespace nat::ice
