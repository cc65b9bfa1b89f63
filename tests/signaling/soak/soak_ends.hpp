#pragma once

// Ends of basic_turn_user for a server that others flood: datagrams get lost there.

#include <optional>

#include "tests/signaling/io/turn_user.hpp"

namespace nat::test {

// Sends again, as RFC 8489, 6.2.1 wants, until what answers it is there: to a request the response
// with its transaction, to anything else the next ChannelData. Drops what is neither.
class patient_udp : public udp_end {
 public:
  static constexpr bool padded = false;
  patient_udp(const endpoint& server, const std::string& from)
      : udp_end((from + ":0").c_str()), server_(server) {}

  void send(byte_view data) {
    last_ = to_bytes(data);
    udp_end::send(server_, data);
  }
  bytes receive() {
    for (int tries = 0; tries < 60; ++tries) {
      if (auto got = try_receive()) return std::move(*got);
      udp_end::send(server_, last_);
    }
    FAIL("30 s without an answer over UDP");
    return {};
  }
  std::optional<bytes> try_receive() {
    while (readable_within(500)) {
      if (auto got = udp_end::receive(); answers(got)) return got;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool answers(const bytes& got) const {
    const auto asked = stun::message_view::parse(last_), answer = stun::message_view::parse(got);
    if (!asked) return !answer;
    return answer && answer->id() == asked->id();
  }
  endpoint server_;
  bytes last_;
};

// Nothing gets lost on the way to the server, and what does on the way back is a failure.
class steady_stream : public stream_end {
 public:
  using stream_end::stream_end;
  std::optional<bytes> try_receive() { return receive(); }
  [[nodiscard]] endpoint local() { return client().local(); }
};

}  // namespace nat::test
