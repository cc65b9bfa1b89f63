#pragma once

// A look into an SCTP packet's chunks (RFC 9260, 3.2), for bookkeeping beside the stack that
// processes them.

#include <cstdint>
#include <optional>

#include "protocol/base/bytes.hpp"

namespace nat::sctp {

constexpr std::size_t common_header_size = 12;
constexpr std::size_t data_header_size = 16;

enum class chunk_type : std::uint8_t {
  data = 0,
  init = 1,
  init_ack = 2,
  sack = 3,
  abort = 6,
  cookie_echo = 10
};

struct chunk {
  chunk_type type;
  byte_view body;  // with the four octets of chunk header
};

class chunk_reader {
 public:
  explicit chunk_reader(byte_view packet) noexcept
      : rest_(packet.size() < common_header_size ? byte_view{}
                                                 : packet.subspan(common_header_size)) {}
  // nullopt at the end, or where a length makes no sense.
  [[nodiscard]] std::optional<chunk> next() noexcept;

 private:
  byte_view rest_;
};

// The packet is one SACK and nothing else.
[[nodiscard]] bool is_lone_sack(byte_view packet) noexcept;

}  // namespace nat::sctp
