#pragma once

// One connection of stun_streams. Internal to it.

#include "signaling/hub/token_bucket.hpp"
#include "signaling/io/stun_service.hpp"
#include "signaling/io/stun_streams.hpp"

namespace nat::signaling::io {

class stun_streams::stream final : public pollable {
 public:
  stream(stun_streams& owner, byte_stream, const path&, const std::optional<address>& client);

  [[nodiscard]] bool watch();
  void start(byte_view first);
  void handle_ready(std::uint32_t events) override;
  // False: too much waits already.
  [[nodiscard]] bool queue(byte_view head, byte_view body, std::size_t padding, std::size_t most);
  void flush();
  void close();

  [[nodiscard]] const path& key() const noexcept { return path_; }
  [[nodiscard]] const std::optional<address>& client() const noexcept { return client_; }
  [[nodiscard]] std::size_t kept() const noexcept { return kept_.octets(); }
  [[nodiscard]] bool settled() const noexcept { return settled_; }
  // Since the last message, and since an unfinished one began.
  [[nodiscard]] time_point heard_at() const noexcept { return heard_at_; }
  [[nodiscard]] std::optional<time_point> midway_since() const noexcept {
    return partial_.empty() ? std::nullopt : std::optional(midway_since_);
  }

 private:
  void read_all();
  void take_all();
  [[nodiscard]] bool begin(byte_view octets);
  [[nodiscard]] bool take(byte_view octets);
  [[nodiscard]] bool complete(byte_view& octets);
  [[nodiscard]] std::optional<std::size_t> size_of(byte_view front) const;
  [[nodiscard]] bool handle(byte_view message);
  [[nodiscard]] bool within_rate();
  void fail();
  void mark_dirty();
  void account();
  void wait_for(std::uint32_t events);

  stun_streams& owner_;
  byte_stream wire_;
  budget_share kept_;
  path path_;
  std::optional<address> client_;
  std::string partial_;  // a message that is not whole
  time_point heard_at_, midway_since_;
  hub::token_bucket bucket_;  // without an allocation
  std::uint32_t events_ = EPOLLIN;
  bool begun_ = false, settled_ = false, dirty_ = false, dead_ = false;
};

}  // namespace nat::signaling::io
