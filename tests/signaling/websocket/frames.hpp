#pragma once

// Frames as a client sends them: masked, and broken in every way a test may want.

#include <string>
#include <string_view>

namespace nat::test {

struct client_frame {
  unsigned opcode = 1;
  bool fin = true;
  unsigned reserved_bits = 0;  // of the first octet: 0x70
  bool masked = true;
  unsigned length_form = 0;  // 0: the shortest, else 126 or 127
};

inline std::string frame(std::string_view payload, client_frame f = {}) {
  std::string out;
  const auto put = [&](std::uint64_t octet) { out += static_cast<char>(octet & 0xff); };
  put((f.fin ? 0x80U : 0U) | f.reserved_bits | f.opcode);
  const unsigned mask_bit = f.masked ? 0x80U : 0U;
  const auto form = f.length_form != 0       ? f.length_form
                    : payload.size() < 126   ? 0U
                    : payload.size() < 65536 ? 126U
                                             : 127U;
  put(mask_bit | (form == 0 ? payload.size() : form));
  const int length_octets = form == 126 ? 2 : form == 127 ? 8 : 0;
  for (int i = length_octets - 1; i >= 0; --i) put(payload.size() >> (8 * i));
  static constexpr unsigned char key[] = {0x37, 0xfa, 0x21, 0x3d};
  if (f.masked) {
    for (const auto octet : key) put(octet);
  }
  for (std::size_t i = 0; i < payload.size(); ++i) {
    put(static_cast<unsigned char>(payload[i]) ^ (f.masked ? key[i % 4] : 0U));
  }
  return out;
}

inline std::string copies(std::string_view octets, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += octets;
  return out;
}

inline std::string close_frame(unsigned code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return frame(payload += reason, {.opcode = 8});
}

}  // namespace nat::test
