#include "stun/message.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/crypto/crc32.hpp"
#include "protocol/crypto/hmac.hpp"
#include "stun/wire.hpp"

namespace nat::stun {
namespace {

constexpr std::size_t padded(std::size_t size) noexcept {
  return (size + 3) & ~std::size_t{3};
}

struct item {
  std::size_t offset;  // of the attribute's header
  std::uint16_t type;
  byte_view value;
};

// Walks the attributes of a message whose tiling parse() has checked, past those that come behind
// an integrity attribute and so can't be believed (RFC 8489, 14.5 and 14.6).
class walk {
 public:
  explicit walk(byte_view raw) noexcept : raw_(raw) {}

  [[nodiscard]] std::optional<item> next() noexcept {
    while (at_ < raw_.size()) {
      const auto offset = at_;
      const auto type = load_be<std::uint16_t>(raw_, offset);
      const std::size_t size = load_be<std::uint16_t>(raw_, offset + 2);
      at_ += wire::attribute_header + padded(size);
      if (!counts(type)) continue;
      if (type == attr::message_integrity::type) sealed_sha1_ = true;
      if (type == attr::message_integrity_sha256::type) sealed_sha256_ = true;
      return item{offset, type, raw_.subspan(offset + wire::attribute_header, size)};
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool counts(std::uint16_t type) const noexcept {
    if (!sealed_sha1_ && !sealed_sha256_) return true;
    return type == attr::fingerprint::type ||
           (type == attr::message_integrity_sha256::type && !sealed_sha256_);
  }

  byte_view raw_;
  std::size_t at_ = header_size;
  bool sealed_sha1_ = false, sealed_sha256_ = false;
};

std::optional<parse_error> check_header(byte_view datagram) noexcept {
  if (datagram.empty() || (datagram[0] & std::byte{0xc0}) != std::byte{}) {
    return parse_error::not_stun;
  }
  if (datagram.size() < header_size) return parse_error::truncated;
  if (load_be<std::uint32_t>(datagram, 4) != magic_cookie) return parse_error::not_stun;
  const std::size_t length = load_be<std::uint16_t>(datagram, 2);
  if (length % 4 != 0) return parse_error::bad_length;
  if (header_size + length > datagram.size()) return parse_error::truncated;
  if (header_size + length < datagram.size()) return parse_error::bad_length;
  return std::nullopt;
}

// RFC 8489, 14.7: the last attribute, over all that stands before it.
bool fingerprint_holds(byte_view datagram, std::size_t offset, std::size_t size) noexcept {
  return size == wire::fingerprint_size - wire::attribute_header &&
         offset + wire::fingerprint_size == datagram.size() &&
         load_be<std::uint32_t>(datagram, offset + wire::attribute_header) ==
             (crypto::crc32(datagram.first(offset)) ^ wire::fingerprint_xor);
}

}  // namespace

transaction_id make_transaction_id(random_source& random) {
  transaction_id id;
  random.fill(id.octets);
  return id;
}

std::expected<message_view, parse_error> message_view::parse(byte_view datagram) noexcept {
  if (const auto error = check_header(datagram)) return std::unexpected(*error);
  // The length is a multiple of 4 and so is every step: a header always fits where an octet does.
  for (auto at = header_size; at < datagram.size();) {
    const auto type = load_be<std::uint16_t>(datagram, at);
    const std::size_t size = load_be<std::uint16_t>(datagram, at + 2);
    const auto end = at + wire::attribute_header + padded(size);
    if (end > datagram.size()) return std::unexpected(parse_error::bad_attribute);
    if (type == attr::fingerprint::type && !fingerprint_holds(datagram, at, size)) {
      return std::unexpected(parse_error::bad_fingerprint);
    }
    at = end;
  }
  return message_view(datagram);
}

message_type message_view::type() const noexcept {
  return wire::unpack_type(load_be<std::uint16_t>(raw_));
}

transaction_id message_view::id() const noexcept {
  transaction_id id;
  std::ranges::copy(raw_.subspan(8, id.octets.size()), id.octets.begin());
  return id;
}

std::optional<byte_view> message_view::find(std::uint16_t type, std::size_t nth) const noexcept {
  walk attributes(raw_);
  while (const auto at = attributes.next()) {
    if (at->type == type && nth-- == 0) return at->value;
  }
  return std::nullopt;
}

std::size_t message_view::unknown_required(std::span<std::uint16_t> out) const noexcept {
  std::size_t count = 0;
  walk attributes(raw_);
  while (const auto at = attributes.next()) {
    if (count == out.size()) break;
    if (at->type >= wire::first_optional_type || is_known_attribute(at->type)) continue;
    const auto listed = out.first(count);
    if (std::ranges::find(listed, at->type) == listed.end()) out[count++] = at->type;
  }
  return count;
}

std::expected<authenticated_view, auth_error> message_view::authenticate(
    byte_view key) const noexcept {
  std::optional<item> seal;
  walk attributes(raw_);
  while (const auto at = attributes.next()) {
    // SHA256 can only come second, and is the one that counts then.
    if (at->type == attr::message_integrity::type ||
        at->type == attr::message_integrity_sha256::type) {
      seal = at;
    }
  }
  if (!seal) return std::unexpected(auth_error::no_integrity);
  const auto holds =
      seal->type == attr::message_integrity::type
          ? wire::seal_holds(wire::seal_sha1(raw_.first(seal->offset), key), seal->value)
          : wire::seal_holds(wire::seal_sha256(raw_.first(seal->offset), key), seal->value);
  if (!holds) return std::unexpected(auth_error::wrong_integrity);
  return authenticated_view(*this);
}

std::optional<std::size_t> stream_message_size(byte_view first_four) noexcept {
  ensure(first_four.size() >= 4);
  const auto first = load_be<std::uint16_t>(first_four);
  const std::size_t length = load_be<std::uint16_t>(first_four, 2);
  if (first < 0x4000) {
    if (length % 4 != 0) return std::nullopt;
    return header_size + length;
  }
  if (first > 0x7fff) return std::nullopt;  // RFC 5766, 11: the range of channel numbers
  return wire::channel_data_header + padded(length);
}

}  // namespace nat::stun
