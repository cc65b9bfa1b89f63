#pragma once

// The listening side of `check` and `ping`: channels of their own, on which every message is sent
// back as it came. They take nothing from the pipe. Bounded: one channel of each kind, small
// messages, so many a second; what is beyond stays unanswered, and whoever asks sees it as lost.

#include <array>
#include <cstdint>
#include <optional>

#include "peer-cli/session/link.hpp"

namespace nat::session {

inline constexpr char check_label[] = "check";

class echo {
 public:
  static constexpr std::size_t max_message_bytes = 1'200;
  static constexpr unsigned max_answers_a_second = 1'000;

  enum class kind : std::uint8_t { check, ping };

  // True: this channel is one of ours. A second of its kind is closed.
  bool takes(const datachannel::channel_opened&, link&, time_point now);
  // What the message was, where it was one of ours.
  std::optional<kind> answer(const datachannel::message&, link&, time_point now);
  void handle_closed(datachannel::channel_id);

 private:
  [[nodiscard]] bool has_allowance(time_point now);

  std::array<std::optional<datachannel::channel_id>, 2> channels_;  // by kind
  time_point second_began_{};
  unsigned answered_ = 0;  // since then
};

}  // namespace nat::session
