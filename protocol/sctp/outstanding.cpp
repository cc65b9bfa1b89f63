#include "protocol/sctp/outstanding.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/sctp/packet.hpp"

namespace nat::sctp {

void outstanding_bytes::taken(std::uint16_t stream, std::size_t count) {
  if (stream >= by_stream_.size()) by_stream_.resize(stream + std::size_t{1});
  by_stream_[stream] += count;
  total_ += count;
}

void outstanding_bytes::packet_out(byte_view packet) {
  chunk_reader chunks(packet);
  while (const auto c = chunks.next()) {
    if (c->type != chunk_type::data || c->body.size() <= data_header_size) continue;
    const auto tsn = load_be<std::uint32_t>(c->body, 4);
    if (!started_) {
      started_ = true;
      first_tsn_ = tsn;
    }
    // A retransmission has been counted already.
    if (tsn != first_tsn_ + static_cast<std::uint32_t>(chunks_.size())) continue;
    chunks_.push_back({load_be<std::uint16_t>(c->body, 8),
                       static_cast<std::uint16_t>(c->body.size() - data_header_size)});
  }
}

void outstanding_bytes::packet_in(byte_view packet) {
  chunk_reader chunks(packet);
  while (const auto c = chunks.next()) {
    if (c->type != chunk_type::sack || c->body.size() < 16) continue;
    const auto acknowledged = load_be<std::uint32_t>(c->body, 4) - first_tsn_ + 1;
    if (!started_ || acknowledged > chunks_.size()) continue;  // old, or for what was never sent
    for (std::uint32_t i = 0; i < acknowledged; ++i) {
      release(chunks_.front());
      chunks_.pop_front();
    }
    first_tsn_ += acknowledged;
  }
}

void outstanding_bytes::release(in_flight chunk) {
  if (chunk.stream >= by_stream_.size()) return;
  auto& of_stream = by_stream_[chunk.stream];
  const auto count = std::min<std::size_t>(of_stream, chunk.size);
  of_stream -= count;
  total_ -= count;
}

void outstanding_bytes::dry() {
  first_tsn_ += static_cast<std::uint32_t>(chunks_.size());
  chunks_.clear();
  std::ranges::fill(by_stream_, std::size_t{0});
  total_ = 0;
}

}  // namespace nat::sctp
