#pragma once

// Packets on their way out, back to back in one buffer that is reused. Internal to protocol/sctp.

#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/base/bytes.hpp"

namespace nat::sctp {

class packet_queue {
 public:
  explicit packet_queue(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // A copy of `packet` to finish, until the next call; empty where the queue is full.
  byte_span push(byte_view packet) {
    if (popped_ == sizes_.size()) clear();
    if (storage_.size() + packet.size() > max_bytes_) return {};
    storage_.insert(storage_.end(), packet.begin(), packet.end());
    sizes_.push_back(static_cast<std::uint32_t>(packet.size()));
    return byte_span(storage_).last(packet.size());
  }
  // Until the next push().
  std::optional<byte_view> pop() {
    if (empty()) return std::nullopt;
    const auto size = sizes_[popped_++];
    const auto out = byte_view(storage_).subspan(offset_, size);
    offset_ += size;
    return out;
  }
  [[nodiscard]] bool empty() const noexcept { return popped_ == sizes_.size(); }
  [[nodiscard]] byte_view back() const { return byte_view(storage_).last(sizes_.back()); }
  void drop_back() {
    storage_.resize(storage_.size() - sizes_.back());
    sizes_.pop_back();
  }

 private:
  void clear() {
    storage_.clear();
    sizes_.clear();
    popped_ = offset_ = 0;
  }

  std::size_t max_bytes_;
  bytes storage_;
  std::vector<std::uint32_t> sizes_;
  std::size_t popped_ = 0, offset_ = 0;
};

}  // namespace nat::sctp
