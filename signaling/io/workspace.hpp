#pragma once

// What the connections of one event loop share, so that an idle one owns no buffer: scratch for a
// read, spare output buffers, counters.

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/tls/connection.hpp"

namespace nat::signaling::io {

struct workspace {
  static constexpr std::size_t read_size = 65'536;
  static constexpr std::size_t max_spares = 64, max_spare_capacity = 16'384;

  // A large enough buffer in place of a small one, if there is one to spare.
  void lend(std::string& out) {
    if (out.capacity() >= 256 || spares.empty()) return;
    const auto waiting = std::move(out);
    out = std::move(spares.back());
    spares.pop_back();
    out += waiting;
  }
  void take_back(std::string& out) {
    out.clear();
    if (out.capacity() <= max_spare_capacity && spares.size() < max_spares) {
      spares.push_back(std::move(out));
    }
    std::string().swap(out);
  }

  bytes read = bytes(read_size), plain = bytes(tls::max_record);
  byte_span unread{};  // of `read`, by a byte_stream in the clear
  std::vector<std::string> spares{};

  // A TLS handshake, with its signature, costs a hundred times what a message does: only so many
  // are answered in a batch of events, and all that others have sent comes between.
  static constexpr int handshakes_a_batch = 4;
  int handshakes_left = handshakes_a_batch;

  struct tls_counters {
    std::uint64_t handshakes = 0, resumed = 0, failed = 0;
  } tls_counted{};
};

}  // namespace nat::signaling::io
