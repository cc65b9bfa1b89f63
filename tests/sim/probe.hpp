#pragma once

// The simplest node: sends what a test tells it to and keeps what it gets. Optionally echoes.

#include <deque>
#include <string>
#include <vector>

#include "tests/sim/host.hpp"

namespace nat::sim {

class probe : public node {
 public:
  struct heard {
    path via;
    std::string text;
    time_point when;
  };

  explicit probe(bool echoes = false) : echoes_(echoes) {}

  void say(const endpoint& from, const endpoint& to, std::string_view text,
           std::optional<std::uint8_t> hop_limit = std::nullopt) {
    outbox_.push_back({{transport::udp, from, to}, to_bytes(as_bytes(text)), 0, hop_limit});
  }
  void say(const path& via, std::string_view text) {
    outbox_.push_back({via, to_bytes(as_bytes(text)), 0, std::nullopt});
  }

  void handle_datagram(const path& from, byte_view data, time_point now) override {
    got.push_back({from, std::string(as_text(data)), now});
    if (echoes_) say(from, as_text(data));
  }
  void handle_send_failure(const path& via, time_point) override { failures.push_back(via); }
  void handle_stream_opened(const path& via, std::uint32_t, time_point) override {
    opened.push_back(via);
  }
  void handle_stream_closed(const path& via, std::uint32_t, time_point) override {
    closed.push_back(via);
  }
  std::optional<transmit> poll_transmit() override {
    if (outbox_.empty()) return std::nullopt;
    auto out = std::move(outbox_.front());
    outbox_.pop_front();
    return out;
  }

  std::vector<heard> got;
  std::vector<path> failures, opened, closed;

 private:
  bool echoes_;
  std::deque<transmit> outbox_;
};

}  // namespace nat::sim
