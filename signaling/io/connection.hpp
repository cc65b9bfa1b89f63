#pragma once

// One client's connection: the upgrade, the frames. What the messages mean
// is the exchange's business; which connection is whose slot, the event loop's.

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/time.hpp"
#include "signaling/io/byte_stream.hpp"
#include "signaling/io/memory_budget.hpp"
#include "signaling/io/poller.hpp"
#include "signaling/websocket/decoder.hpp"

namespace nat::signaling::io {

class event_loop;
class listener;

inline constexpr std::uint32_t no_slot = UINT32_MAX;

class connection final : public pollable {
 public:
  enum class phase : std::uint8_t {
    upgrading,  // the HTTP request is coming in
    open,       // the exchange knows it by its slot
    closing,    // what waits goes out, what comes in is thrown away, until the deadline
    dead,       // to be destroyed after the batch
  };

  connection(event_loop&, const listener& by, byte_stream, const endpoint& remote,
             std::uint32_t index, time_point accepted_at);

  // Joins the poller. False: it takes no more.
  [[nodiscard]] bool watch();
  void handle_ready(std::uint32_t events) override;

  // Queue for the next flush, which is due at once if much_unwritten().
  void write_frame(websocket::opcode, std::string_view payload);
  // What has been written goes out, then the connection ends.
  void finish(websocket::close_code, std::string_view reason);
  [[nodiscard]] bool much_unwritten() const noexcept;
  void flush();
  void abort();
  // For who takes the connection over: it is dead here, and no longer watched.
  [[nodiscard]] byte_stream give_up();

  [[nodiscard]] phase state() const noexcept { return phase_; }
  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  [[nodiscard]] const endpoint& remote() const noexcept { return remote_; }
  // Whom it counts for; nullopt: a proxy that has not said yet.
  [[nodiscard]] const std::optional<address>& client() const noexcept { return client_; }
  // Who is to be named: the client, or its proxy as long as that has not said.
  [[nodiscard]] address named() const noexcept { return client_.value_or(remote_.ip); }
  void set_client(const address& client) noexcept { client_ = client; }
  // Octets that wait for the client, or from it for the rest of a message, a record or a handshake;
  // as of the last batch.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_.octets(); }
  [[nodiscard]] time_point accepted_at() const noexcept { return accepted_at_; }

 private:
  void read_all();
  void take_all();
  void tls_ended();
  void lose();
  void take(byte_span octets);
  void take_head(byte_span octets);
  void take_frames(byte_span octets);
  void take_event(const websocket::event&);
  void peer_closed(const websocket::event&);
  void reject(std::string response);
  void start_closing();
  void mark_dirty();
  void account();
  void wait_for(std::uint32_t events);

  // What a ping and its answer need stands together, as in the exchange's client.
  event_loop& loop_;
  std::uint32_t index_, slot_ = no_slot, events_;
  phase phase_ = phase::upgrading;
  bool dirty_ = false;
  std::size_t unwritten_ = 0;  // octets since the last flush
  budget_share kept_;
  byte_stream wire_;
  websocket::decoder decoder_;
  std::string head_;  // the HTTP request while it is incomplete
  std::size_t thrown_away_ = 0;
  const listener& by_;
  endpoint remote_;
  std::optional<address> client_;
  time_point accepted_at_;
};

}  // namespace nat::signaling::io
