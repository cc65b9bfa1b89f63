#pragma once

// The peer's candidates: signalled, or learned from its checks (peer-reflexive, RFC 8445, 7.3.1.3).
// When the table is full, what is learned from an authenticated check replaces a signalled one of
// the most numerous kind, since it is known to work.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ice/candidate.hpp"

namespace nat::ice {

class remote_candidates {
 public:
  explicit remote_candidates(std::size_t max) : max_(max) {}

  enum class result : std::uint8_t { known, updated, added, refused };
  // `updated`: it was known as peer-reflexive and is now what the peer says it is.
  result add(const candidate&);

  // Makes room for one; `may_go` says whether nothing depends on it. The one that went.
  std::optional<candidate> evict(const std::function<bool(const candidate&)>& may_go);

  [[nodiscard]] const candidate* find(transport, const endpoint&) const noexcept;
  [[nodiscard]] std::span<const candidate> all() const noexcept { return all_; }
  void clear();

  bool ended = false;  // end-of-candidates, RFC 8838, 14

 private:
  std::size_t max_;
  std::vector<candidate> all_;
};

}  // namespace nat::ice
