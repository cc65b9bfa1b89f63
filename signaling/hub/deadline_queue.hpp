#pragma once

// One deadline for each of many connections, in a heap. A deadline is not moved when a connection
// is heard from: it is looked at when it comes, which for an idle connection is twice a minute.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/base/time.hpp"

namespace nat::hub {

class deadline_queue {
 public:
  struct entry {
    time_point when;
    std::uint32_t slot;
    std::uint32_t serial;  // of the slot's use: an entry of an earlier use is stale
  };

  void push(const entry& e) {
    heap_.push_back(e);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  [[nodiscard]] std::optional<time_point> next() const {
    return heap_.empty() ? std::nullopt : std::optional(heap_.front().when);
  }
  [[nodiscard]] std::optional<entry> pop_due(time_point now) {
    if (heap_.empty() || heap_.front().when > now) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const auto due = heap_.back();
    heap_.pop_back();
    return due;
  }
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  // Connections that came and went leave entries behind; the owner drops them when they are many.
  template <class Stale>
  void drop(Stale stale) {
    std::erase_if(heap_, stale);
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

 private:
  static bool later(const entry& a, const entry& b) noexcept { return a.when > b.when; }
  std::vector<entry> heap_;
};

}  // namespace nat::hub
