#pragma once

// The listening side of `check`: a channel of its own, on which every message is sent back. It
// takes nothing from the pipe.

#include <optional>

#include "peer-cli/session/link.hpp"

namespace nat::commands {

inline constexpr char check_label[] = "check";

class check_answer {
 public:
  // True: this channel is a check's.
  bool takes(const datachannel::channel_opened& opened) {
    if (opened.options.label != check_label) return false;
    channel_ = opened.id;
    return true;
  }
  // True: the message was a check's, and is answered.
  bool answer(const datachannel::message& message, session::link& link, time_point now) const {
    if (channel_ != message.id) return false;
    // An answer that finds no room is an answer lost; the asker has a deadline.
    static_cast<void>(link.send(message.id, message.data, message.binary, now));
    return true;
  }

 private:
  std::optional<datachannel::channel_id> channel_;
};

}  // namespace nat::commands
