#pragma once

// When to say that no path exists: RFC 8863. All pairs failing is not enough while a check of the
// peer's may still make a new one; nor does a peer that never says end-of-candidates (RFC 8838, 14)
// keep us waiting for ever.

#include <cstddef>
#include <optional>

#include "protocol/base/time.hpp"

namespace nat::ice {

struct patience_situation {
  time_point started;    // the check list began: RFC 8863, 4
  time_point last_news;  // the last candidate or credentials
  bool both_ended;       // end-of-candidates on both sides
  std::size_t active;    // pairs that may still succeed
};

// When `failed` is due; nullopt: not as things stand.
[[nodiscard]] std::optional<time_point> failure_due(const patience_situation&,
                                                    duration patience) noexcept;

}  // namespace nat::ice
