#pragma once

// The asking side of `ping`: numbered messages over a channel of their own, which the other side
// sends back as they are (session/echo.hpp, and any stack that echoes). The channel is unordered
// and sends nothing twice: what the network loses shows as lost, and one loss does not hold back
// those after it.
//
// A message: "ping", 8 octets that name the run, 8 octets of the number, big endian.
//
// Drive: handle_message, advance (after everything that happens, and at next_timeout), then
// poll_result until it is empty.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "ice/agent.hpp"
#include "peer-cli/session/link.hpp"
#include "peer-cli/session/round_trips.hpp"

namespace nat::session {

inline constexpr char ping_label[] = "ping";

[[nodiscard]] datachannel::channel_options ping_channel();

struct ping_message {
  static constexpr std::size_t size = 20;
  std::uint64_t run, number;
  bool operator==(const ping_message&) const = default;
};
[[nodiscard]] bytes write(const ping_message&);
[[nodiscard]] std::optional<ping_message> read_ping(byte_view);

struct ping_config {
  std::optional<std::uint64_t> count{};  // none: until it is ended
  duration interval = std::chrono::seconds{1};
  duration patience = std::chrono::seconds{3};  // then a message counts as lost
  std::size_t max_in_flight = 1'024;            // then the oldest does
};

// `way`: the path both ways; where they differ, the relayed one. Of what was lost: the way out.
struct round_trip {
  std::uint64_t number;
  std::optional<duration> took;  // none: lost
  std::optional<ice::connected> way;
};

struct ping_tally {
  std::uint64_t sent = 0, answered = 0, lost = 0, direct = 0, relayed = 0;
  round_trips times;
};

class pinger {
 public:
  // `run` comes from a random source: answers to another run's questions are not taken.
  pinger(ping_config, datachannel::channel_id, std::uint64_t run, time_point now);

  void handle_message(const datachannel::message&, const link&, time_point now);
  // Sends what is due, gives up on what is overdue.
  void advance(link&, time_point now);
  // No more questions, and nobody waits for answers: those under way are lost.
  void stop();

  [[nodiscard]] std::optional<round_trip> poll_result();
  [[nodiscard]] std::optional<time_point> next_timeout() const;
  // All were sent, and each was answered or is lost.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] const ping_tally& tally() const { return tally_; }

 private:
  struct question {
    time_point sent;
    std::optional<ice::connected> way;
  };

  [[nodiscard]] bool all_asked() const;
  void ask(link&, time_point now);
  void lose_oldest();

  ping_config config_;
  datachannel::channel_id channel_;
  std::uint64_t run_;
  time_point next_;
  bool stopped_ = false;
  std::map<std::uint64_t, question> in_flight_;
  std::deque<round_trip> results_;
  ping_tally tally_;
};

}  // namespace nat::session
