#pragma once

// The pairs of one agent, RFC 8445, 6.1.2: made, found, ordered, kept few. Pairs stay where they
// are in memory until removed.

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "ice/local_candidates.hpp"
#include "ice/pair.hpp"
#include "ice/pairing.hpp"
#include "protocol/base/random.hpp"

namespace nat::ice {

class check_list {
 public:
  check_list(std::size_t max_pairs, random_source& random) : max_(max_pairs), random_(random) {}

  // Who may be dropped besides what the list itself knows to keep; called before a pair goes.
  using predicate = std::function<bool(const pair&)>;

  // A pair for this door and remote candidate; nullptr where there is one already or no room.
  // `heard`: a check came in on it, so it takes the place of any pair that nothing came in on.
  pair* form(const door&, const candidate& remote, std::uint32_t generation, role, bool heard,
             const predicate& must_stay);
  // As above for a path whose local end is not the door's base (TCP).
  pair* form_on(const path&, const door&, const candidate& remote, std::uint32_t generation, role,
                bool heard, const predicate& must_stay);

  [[nodiscard]] pair* find(const path&, std::uint32_t generation) noexcept;
  // The newest generation that has this path.
  [[nodiscard]] const pair* find_any(const path&) const noexcept;
  [[nodiscard]] pair* find(const stun::transaction_id&) noexcept;

  // The pair that ordinary pacing checks next (README, "Order"): every class gets its first check
  // before any gets a second one. nullptr: none is waiting.
  [[nodiscard]] pair* next_waiting(const local_candidates&, std::uint32_t generation) noexcept;
  void note_started(const pair& p) noexcept { ++started_[class_of(p)]; }

  void remove_if(const predicate&);
  void prioritise(role) noexcept;

  [[nodiscard]] const std::vector<std::unique_ptr<pair>>& all() const noexcept { return pairs_; }
  [[nodiscard]] std::size_t waiting(std::uint32_t generation) const noexcept;
  [[nodiscard]] std::size_t active(
      std::uint32_t generation) const noexcept;  // waiting, in progress
  std::uint64_t refused = 0;                     // pairs that found no room

 private:
  bool make_room(const pair& newcomer, bool heard, const predicate& must_stay);

  std::size_t max_;
  random_source& random_;
  std::vector<std::unique_ptr<pair>> pairs_;
  std::array<std::uint32_t, pair_classes> started_{};
};

}  // namespace nat::ice
