#pragma once

// A pipe over one data channel: bytes in order both ways, with half-close, in bounded memory. An
// empty message says that a direction has ended (RFC 8831, 6.6 has a form for it, so that any stack
// can send and see it); a channel closed by the other end means that it wants no more either.

#include <deque>
#include <optional>

#include "peer-cli/session/link.hpp"

namespace nat::session {

inline constexpr char pipe_label[] = "pipe";

class pipe {
 public:
  static constexpr std::size_t chunk = 65'536;  // bytes of one message, at most
  static constexpr std::size_t output_limit =
      1U << 20;  // waiting for our reader, then the sender waits

  explicit pipe(datachannel::channel_id id) : id_(id) {}

  // Towards the peer. Read at most chunk bytes, and only while wants_input().
  [[nodiscard]] bool wants_input() const { return !input_ended_ && !blocked_ && !closed_; }
  void input(bytes data, link&, time_point now);
  void end_input(link&, time_point now);

  // From the peer: what to write out, in order. `written` once it is.
  // Without a link where it has ended in order and its last messages are still on their way.
  void received(datachannel::message&&, link*, time_point now);
  [[nodiscard]] const bytes* front() const { return output_.empty() ? nullptr : &output_.front(); }
  void written(link*, time_point now);  // no link: it has ended, and this is what was left
  // Our reader went away.
  void abandon(link&, time_point now);

  void handle_writable(link&, time_point now);
  void handle_closed() { closed_ = true; }

  [[nodiscard]] datachannel::channel_id id() const { return id_; }
  // Whole: the peer said that it was at its end, and all of it is written out.
  [[nodiscard]] bool output_complete() const { return remote_ended_ && output_.empty(); }
  [[nodiscard]] bool remote_ended() const { return remote_ended_; }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool abandoned() const { return abandoned_; }
  // Nothing is left to do in either direction.
  [[nodiscard]] bool finished(const link&) const;
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received_bytes() const { return received_; }

 private:
  void flush(link&, time_point now);

  datachannel::channel_id id_;
  std::optional<bytes> pending_;  // read, and not taken by the channel yet
  bool blocked_ = false, input_ended_ = false, end_sent_ = false;
  bool remote_ended_ = false, closed_ = false, abandoned_ = false, paused_ = false;
  std::deque<bytes> output_;
  std::size_t output_size_ = 0;
  std::uint64_t sent_ = 0, received_ = 0;
};

}  // namespace nat::session
