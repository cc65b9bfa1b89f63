#pragma once

// STUN messages, RFC 8489: a view to read them, a writer to make them.
// Neither allocates, neither keeps the bytes; both work on the caller's buffer.
// No policy: what a message must hold is for those who handle it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>

#include "protocol/base/bytes.hpp"
#include "protocol/base/random.hpp"
#include "stun/attributes.hpp"
#include "stun/codec.hpp"

namespace nat::stun {

inline constexpr std::size_t header_size = 20;
inline constexpr std::uint32_t magic_cookie = 0x2112A442;

struct transaction_id {
  std::array<std::byte, 12> octets{};
  auto operator<=>(const transaction_id&) const = default;
};
[[nodiscard]] transaction_id make_transaction_id(random_source&);

enum class parse_error : std::uint8_t {
  not_stun,
  truncated,
  bad_length,
  bad_attribute,
  bad_fingerprint
};
enum class auth_error : std::uint8_t { no_integrity, wrong_integrity };

class authenticated_view;

// One received message. Trivially copyable; valid while the buffer lives.
class message_view {
 public:
  // Checks the header, that the attributes tile the length exactly, and FINGERPRINT where present.
  [[nodiscard]] static std::expected<message_view, parse_error> parse(byte_view datagram) noexcept;
  static void parse(bytes&&) = delete;  // a view of a temporary would dangle

  [[nodiscard]] message_type type() const noexcept;
  [[nodiscard]] transaction_id id() const noexcept;
  [[nodiscard]] byte_view raw() const noexcept { return raw_; }

  // First occurrence wins; what follows the integrity attributes is not seen, except FINGERPRINT
  // (RFC 8489, 14.5). nullopt also where the attribute's own bytes are malformed.
  template <attribute A>
  [[nodiscard]] std::optional<typename A::value> get() const noexcept;
  template <attribute A>
  [[nodiscard]] bool has() const noexcept {
    return find(A::type).has_value();
  }
  // The n-th occurrence, for attributes that repeat (XOR-PEER-ADDRESS).
  template <attribute A>
  [[nodiscard]] std::optional<typename A::value> get_nth(std::size_t n) const noexcept;

  // Writes up to out.size() comprehension-required types this library does not know; returns how
  // many.
  [[nodiscard]] std::size_t unknown_required(std::span<std::uint16_t> out) const noexcept;

  // The only way to an authenticated_view, so a handler that takes one cannot be reached with an
  // unverified message. Takes MESSAGE-INTEGRITY-SHA256 where present, else MESSAGE-INTEGRITY.
  // Constant time; does not write into the buffer.
  [[nodiscard]] std::expected<authenticated_view, auth_error> authenticate(
      byte_view key) const noexcept;

 protected:
  explicit message_view(byte_view datagram) noexcept : raw_(datagram) {}

 private:
  [[nodiscard]] std::optional<byte_view> find(std::uint16_t type,
                                              std::size_t nth = 0) const noexcept;
  byte_view raw_;
};

class authenticated_view : public message_view {
  friend class message_view;
  explicit authenticated_view(message_view verified) noexcept : message_view(verified) {}
};

enum class integrity : std::uint8_t { sha1, sha256 };

// Writes one message into `out`. Running out of room, or a value that its attribute can't hold, is
// remembered and reported once, by finish(), so calls chain without checks in between.
class message_writer {
 public:
  message_writer(byte_span out, message_type, const transaction_id&) noexcept;

  template <attribute A>
  message_writer& put(const typename A::value& value) noexcept;
  // UNKNOWN-ATTRIBUTES (RFC 8489, 14.9).
  message_writer& put_unknown(std::span<const std::uint16_t> types) noexcept;

  // Each ends the message. `finish` adds nothing, `finish_fingerprint` a FINGERPRINT,
  // `finish_signed` an integrity attribute and, unless told otherwise, a FINGERPRINT.
  [[nodiscard]] std::optional<byte_view> finish() noexcept;
  [[nodiscard]] std::optional<byte_view> finish_fingerprint() noexcept;
  [[nodiscard]] std::optional<byte_view> finish_signed(byte_view key, integrity = integrity::sha1,
                                                       bool fingerprint = true) noexcept;

 private:
  [[nodiscard]] byte_span reserve(std::uint16_t type, std::size_t size) noexcept;
  byte_span out_;
  std::size_t used_ = 0;
  bool overflow_ = false;
};

// How many bytes the message at the front of a stream takes, once 4 of them are there; for STUN and
// ChannelData over TCP (RFC 8489, 6.2.2; RFC 8656, 12.5: padded to 4). nullopt: neither, so the
// stream is broken.
[[nodiscard]] std::optional<std::size_t> stream_message_size(byte_view first_four) noexcept;

template <attribute A>
std::optional<typename A::value> message_view::get() const noexcept {
  return get_nth<A>(0);
}

template <attribute A>
std::optional<typename A::value> message_view::get_nth(std::size_t n) const noexcept {
  const auto value = find(A::type, n);
  if (!value) return std::nullopt;
  return codec::read<A>(*value, raw_);
}

template <attribute A>
message_writer& message_writer::put(const typename A::value& value) noexcept {
  const auto size = codec::size<A>(value);
  if (!size) overflow_ = true;
  const auto out = reserve(A::type, size.value_or(0));
  if (!overflow_) codec::write<A>(out, value, out_);
  return *this;
}

}  // namespace nat::stun
