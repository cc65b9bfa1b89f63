#include "protocol/dtls/batch.hpp"

#include <utility>

namespace nat::dtls {

bool batch_queue::append(byte_view datagram) {
  if (queued_ + datagram.size() > max_queued_bytes) return false;
  const bool fits = !ended_ && datagram.size() <= segment_ && segments_ < max_segments &&
                    open_.size() + datagram.size() <= max_batch_bytes;
  if (!open_.empty() && !fits) flush();
  if (open_.empty()) {
    segment_ = datagram.size();
    // The second datagram of a size tells that more follow.
  } else if (segments_ == 1) {
    open_.reserve(max_batch_bytes);
  }
  open_.insert(open_.end(), datagram.begin(), datagram.end());
  ended_ = datagram.size() < segment_;
  ++segments_;
  queued_ += datagram.size();
  return true;
}

void batch_queue::flush() {
  full_.push_back({std::exchange(open_, {}),
                   static_cast<std::uint16_t>(segments_ > 1 ? segment_ : std::size_t{0})});
  segments_ = 0;
  ended_ = false;
}

std::optional<batch> batch_queue::pop() {
  if (full_.empty() && !open_.empty()) flush();
  if (full_.empty()) return std::nullopt;
  auto out = std::move(full_.front());
  full_.pop_front();
  queued_ -= out.data.size();
  return out;
}

}  // namespace nat::dtls
