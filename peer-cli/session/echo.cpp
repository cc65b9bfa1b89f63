#include "peer-cli/session/echo.hpp"

#include "peer-cli/session/pinger.hpp"

namespace nat::session {

bool echo::takes(const datachannel::channel_opened& opened, link& over, time_point now) {
  const auto& label = opened.options.label;
  if (label != check_label && label != ping_label) return false;
  auto& channel = channels_[label == ping_label ? 1 : 0];
  if (channel) {
    over.close_channel(opened.id, now);
  } else {
    channel = opened.id;
  }
  return true;
}

std::optional<echo::kind> echo::answer(const datachannel::message& message, link& over,
                                       time_point now) {
  for (const auto what : {kind::check, kind::ping}) {
    if (channels_[static_cast<std::size_t>(what)] != message.id) continue;
    // An answer that finds no room is an answer lost; the asker has a deadline.
    if (message.data.size() <= max_message_bytes && has_allowance(now)) {
      static_cast<void>(over.send(message.id, message.data, message.binary, now));
    }
    return what;
  }
  return std::nullopt;
}

void echo::handle_closed(datachannel::channel_id id) {
  for (auto& channel : channels_) {
    if (channel == id) channel.reset();
  }
}

bool echo::has_allowance(time_point now) {
  if (now - second_began_ >= std::chrono::seconds{1}) {
    second_began_ = now;
    answered_ = 0;
  }
  return ++answered_ <= max_answers_a_second;
}

}  // namespace nat::session
