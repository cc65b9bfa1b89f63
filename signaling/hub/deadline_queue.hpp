#pragma once

// One deadline for each of many connections. It is not moved when a connection is heard from, but
// looked at when it comes. Those of idle connections, which have one and the same patience, come in
// the order of their times and stand in a line of their own: 100,000 of them in a heap cost more
// than all else that is done for a ping. The rest is a heap.

#include <algorithm>
#include <cstdint>
#include <deque>
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
    if (line_.empty() || e.when >= line_.back().when) return line_.push_back(e);
    heap_.push_back(e);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  [[nodiscard]] std::optional<time_point> next() const {
    const auto* e = first();
    return e == nullptr ? std::nullopt : std::optional(e->when);
  }
  [[nodiscard]] std::optional<entry> pop_due(time_point now) {
    const auto* e = first();
    if (e == nullptr || e->when > now) return std::nullopt;
    const auto due = *e;
    if (!line_.empty() && e == &line_.front()) {
      line_.pop_front();
    } else {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      heap_.pop_back();
    }
    return due;
  }
  [[nodiscard]] std::size_t size() const noexcept { return line_.size() + heap_.size(); }
  // Connections that came and went leave entries behind; the owner drops them when they are many.
  template <class Stale>
  void drop(Stale stale) {
    std::erase_if(line_, stale);
    std::erase_if(heap_, stale);
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

 private:
  static bool later(const entry& a, const entry& b) noexcept { return a.when > b.when; }
  [[nodiscard]] const entry* first() const noexcept {
    if (line_.empty()) return heap_.empty() ? nullptr : heap_.data();
    const bool heap_first = !heap_.empty() && later(line_.front(), heap_.front());
    return heap_first ? heap_.data() : &line_.front();
  }
  std::deque<entry> line_;
  std::vector<entry> heap_;
};

}  // namespace nat::hub
