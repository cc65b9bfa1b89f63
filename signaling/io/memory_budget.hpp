#pragma once

// What all connections of a server may keep: what waits for clients, and messages, records and
// handshakes that are not whole. Each has a limit of its own, but 100,000 times that is more than a
// machine has. Beyond the budget the fullest connections are ended: a client that reads keeps next
// to nothing.
//
// What is counted are octets; the memory that holds them may be twice as large.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <vector>

namespace nat::signaling::io {

// Shared by all loops.
class memory_budget {
 public:
  // A limit of zero: none.
  memory_budget(std::size_t limit, std::size_t loops) noexcept : limit_(limit), loops_(loops) {}

  [[nodiscard]] std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool spent() const noexcept { return limit_ != 0 && used() > limit_; }
  // When it is spent, one loop at least keeps more than this.
  [[nodiscard]] std::size_t part() const noexcept { return limit_ / loops_; }

 private:
  friend class budget_share;
  std::size_t limit_, loops_;
  std::atomic<std::size_t> used_{0};
};

// One connection's.
class budget_share {
 public:
  explicit budget_share(memory_budget& b) noexcept : budget_(b) {}
  ~budget_share() { set(0); }
  budget_share(const budget_share&) = delete;
  budget_share& operator=(const budget_share&) = delete;

  void set(std::size_t octets) noexcept {
    if (octets == octets_) return;
    budget_.used_.fetch_add(octets - octets_,
                            std::memory_order_relaxed);  // modulo, where it is less
    octets_ = octets;
  }
  [[nodiscard]] std::size_t octets() const noexcept { return octets_; }

 private:
  memory_budget& budget_;
  std::size_t octets_ = 0;
};

struct keeper {
  std::size_t octets;
  std::function<void()> end;
};
// Ends the fullest, if all of a loop's keep more than its part, until they keep an eighth less.
inline void end_fullest(std::vector<keeper> all, std::size_t part) {
  std::size_t kept = 0;
  for (const auto& k : all) kept += k.octets;
  if (kept <= part) return;
  std::ranges::stable_sort(all, std::ranges::greater(), &keeper::octets);
  for (const auto& k : all) {
    if (kept <= part - part / 8) return;
    k.end();
    kept -= k.octets;
  }
}

}  // namespace nat::signaling::io
