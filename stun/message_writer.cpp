#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/crc32.hpp"
#include "stun/message.hpp"
#include "stun/wire.hpp"

namespace nat::stun {

message_writer::message_writer(byte_span out, message_type type, const transaction_id& id) noexcept
    : out_(out) {
  if (out_.size() < header_size) {
    overflow_ = true;
    return;
  }
  store_be(out_, 0, wire::pack_type(type));
  store_be(out_, 2, std::uint16_t{0});
  store_be(out_, 4, magic_cookie);
  std::ranges::copy(id.octets, out_.begin() + 8);
  used_ = header_size;
}

// An attribute header, and room for its value: zeroed, padding too.
byte_span message_writer::reserve(std::uint16_t type, std::size_t size) noexcept {
  const auto total = wire::attribute_header + ((size + 3) & ~std::size_t{3});
  if (overflow_ || total > out_.size() - used_ || used_ - header_size + total > wire::max_length) {
    overflow_ = true;
    return {};
  }
  const auto attribute = out_.subspan(used_, total);
  store_be(attribute, 0, type);
  store_be(attribute, 2, static_cast<std::uint16_t>(size));
  used_ += total;
  std::ranges::fill(attribute.subspan(wire::attribute_header), std::byte{});
  return attribute.subspan(wire::attribute_header, size);
}

message_writer& message_writer::put_unknown(std::span<const std::uint16_t> types) noexcept {
  const auto value = reserve(attr::unknown_attributes::type, 2 * types.size());
  if (overflow_) return *this;
  for (std::size_t i = 0; i < types.size(); ++i) store_be(value, 2 * i, types[i]);
  return *this;
}

std::optional<byte_view> message_writer::finish() noexcept {
  if (overflow_) return std::nullopt;
  store_be(out_, 2, static_cast<std::uint16_t>(used_ - header_size));
  return out_.first(used_);
}

std::optional<byte_view> message_writer::finish_fingerprint() noexcept {
  const auto covered = used_;
  const auto value = reserve(attr::fingerprint::type, 4);
  const auto message = finish();  // the CRC covers the final length
  if (message) store_be(value, 0, crypto::crc32(message->first(covered)) ^ wire::fingerprint_xor);
  return message;
}

std::optional<byte_view> message_writer::finish_signed(byte_view key, integrity with,
                                                       bool fingerprint) noexcept {
  const auto covered = used_;
  if (with == integrity::sha1) {
    const auto value = reserve(attr::message_integrity::type, crypto::sha1_digest{}.size());
    if (!overflow_) std::ranges::copy(wire::seal_sha1(out_.first(covered), key), value.begin());
  } else {
    const auto value =
        reserve(attr::message_integrity_sha256::type, crypto::sha256_digest{}.size());
    if (!overflow_) std::ranges::copy(wire::seal_sha256(out_.first(covered), key), value.begin());
  }
  return fingerprint ? finish_fingerprint() : finish();
}

}  // namespace nat::stun
