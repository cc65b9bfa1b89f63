#pragma once

// `nat --with PEER`: over a channel of its own the asker asks once how the NAT of the listening
// peer behaves, and the listener answers once, with lines of JSON in one text message. What they
// say is the commands' business. Bounded on both sides: one channel and one question a link, an
// answer of max_nat_answer_bytes, and a time.

#include <optional>
#include <string>

#include "peer-cli/session/failure.hpp"
#include "peer-cli/session/link.hpp"

namespace nat::session {

inline constexpr char nat_label[] = "nat";
inline constexpr std::string_view nat_request = "How does your NAT behave?";
inline constexpr std::size_t max_nat_answer_bytes = 16 << 10;

// Unordered, so that a listener that does not know the label closes it: an ordered channel would
// become its pipe. With one message each way there is no order to lose.
[[nodiscard]] datachannel::channel_options nat_channel();

class nat_asker {
 public:
  static constexpr duration patience = std::chrono::seconds{15};

  // Opens the channel and asks.
  nat_asker(link&, time_point now);

  void handle_message(const datachannel::message&, const link&);
  void handle_closed(datachannel::channel_id, const link&);
  void advance(const link&, time_point now);

  // One of them is there in the end.
  [[nodiscard]] const std::optional<std::string>& answer() const { return answer_; }
  [[nodiscard]] const std::optional<failure>& why() const { return why_; }
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  [[nodiscard]] bool over() const { return answer_ || why_; }
  void fail(const char* code, const link&, const std::string& what);

  std::optional<datachannel::channel_id> channel_;
  time_point deadline_;
  std::optional<std::string> answer_;
  std::optional<failure> why_;
};

class nat_answerer {
 public:
  // True: this channel is ours. A second one is closed, and so is one that asks something else.
  bool takes(const datachannel::channel_opened&, link&, time_point now);
  // True: it was one of ours.
  bool handle_message(const datachannel::message&, link&, time_point now);
  void handle_closed(datachannel::channel_id);

  [[nodiscard]] bool asked() const { return channel_ && asked_ && !answered_; }
  void answer(std::string_view lines, link&, time_point now);

 private:
  std::optional<datachannel::channel_id> channel_;
  bool asked_ = false, answered_ = false;  // once a link
};

}  // namespace nat::session
