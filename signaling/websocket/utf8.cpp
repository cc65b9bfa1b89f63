#include "signaling/websocket/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace nat::websocket {

namespace {

struct form {
  std::size_t length;               // octets, 0: no character starts like this
  unsigned char low = 0, high = 0;  // what the second octet may be (RFC 3629, section 4)
};

form form_of(unsigned char lead) noexcept {
  if (lead < 0xc2) return {0};
  if (lead < 0xe0) return {2, 0x80, 0xbf};
  if (lead == 0xe0) return {3, 0xa0, 0xbf};
  if (lead == 0xed) return {3, 0x80, 0x9f};
  if (lead < 0xf0) return {3, 0x80, 0xbf};
  if (lead == 0xf0) return {4, 0x90, 0xbf};
  if (lead < 0xf4) return {4, 0x80, 0xbf};
  if (lead == 0xf4) return {4, 0x80, 0x8f};
  return {0};
}

// Most of what comes is ASCII: eight octets at a time.
std::size_t ascii_run(const char* text, std::size_t size) noexcept {
  std::size_t n = 0;
  for (std::uint64_t word; n + sizeof word <= size; n += sizeof word) {
    std::memcpy(&word, text + n, sizeof word);
    if (word & 0x8080808080808080U) break;
  }
  while (n < size && static_cast<unsigned char>(text[n]) < 0x80) ++n;
  return n;
}

}  // namespace

std::optional<std::size_t> whole_characters(std::string_view text) noexcept {
  const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t i = 0;;) {
    i += ascii_run(text.data() + i, text.size() - i);
    if (i == text.size()) return i;
    const auto expected = form_of(octet(i));
    if (expected.length == 0) return std::nullopt;
    const auto there = std::min(expected.length, text.size() - i);
    if (there > 1 && (octet(i + 1) < expected.low || octet(i + 1) > expected.high)) {
      return std::nullopt;
    }
    for (std::size_t k = 2; k < there; ++k) {
      if ((octet(i + k) & 0xc0) != 0x80) return std::nullopt;
    }
    if (there < expected.length) return i;
    i += expected.length;
  }
}

bool is_utf8(std::string_view text) noexcept {
  return whole_characters(text) == text.size();
}

}  // namespace nat::websocket
