#pragma once

// The two ends of `bench`: the asker, and what a listening peer answers with. Bounded on both
// sides. A stranger gets no further than a pipe would let him (the channel opens once the secret is
// proven); then one run a link, of max_bench_length at most, and the channel is closed where he
// breaks the rules or does not come to an end.

#include <optional>
#include <string>

#include "peer-cli/session/bench_flow.hpp"
#include "peer-cli/session/failure.hpp"

namespace nat::session {

inline constexpr duration max_bench_length = std::chrono::seconds{60};

class bench_asker {
 public:
  // After its time is over, the end and the report may take so long; less where it was stopped.
  static constexpr duration grace = std::chrono::seconds{30};
  static constexpr duration stop_grace = std::chrono::seconds{5};

  // Opens the channel and asks.
  bench_asker(const bench_request&, link&, time_point now);

  void handle_message(const datachannel::message&, link&, const bench_clock&);
  void handle_closed(datachannel::channel_id, const link&);
  void handle_path_change();
  void advance(link&, const bench_clock&);
  // Ends the run before its time; what was seen so far is the result.
  void stop(link&, const bench_clock&);

  [[nodiscard]] bool accepted() const { return flow_.has_value(); }
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] const std::optional<failure>& why() const { return why_; }
  // Both ends' views; the other's is missing where its report did not come.
  [[nodiscard]] bench_view here(const link&, const bench_clock&) const;
  [[nodiscard]] const std::optional<bench_view>& there() const { return there_; }
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  void handle_refusal(bench_refusal, const link&);
  void fail(std::string code, std::string message);
  void finish(link&, const bench_clock&);

  bench_request request_;
  std::optional<datachannel::channel_id> channel_;
  std::optional<bench_flow> flow_;
  std::optional<time_point> deadline_;
  bool stop_unsent_ = false, finished_ = false;
  std::optional<failure> why_;
  std::optional<bench_view> result_, there_;
};

class bench_answer {
 public:
  // Beyond the length that was asked for.
  static constexpr duration grace = std::chrono::seconds{60};

  // True: this channel is a bench's. A second one is closed.
  bool takes(const datachannel::channel_opened&, link&, time_point now);
  [[nodiscard]] bool owns(datachannel::channel_id id) const { return channel_ == id; }
  void handle_message(const datachannel::message&, link&, const bench_clock&);
  void handle_closed(datachannel::channel_id);
  void handle_path_change();
  void advance(link&, const bench_clock&);

  [[nodiscard]] bool running() const { return flow_.has_value(); }
  // Once, after a run that came to its end.
  [[nodiscard]] std::optional<bench_view> poll_result();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  void accept(const bench_request&, link&, const bench_clock&);
  void end_badly(link&, time_point now);

  std::optional<datachannel::channel_id> channel_;
  std::optional<bench_flow> flow_;
  bool used_ = false;
  time_point deadline_{};
  std::optional<bench_view> result_;
};

}  // namespace nat::session
