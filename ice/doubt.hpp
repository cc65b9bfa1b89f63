#pragma once

// Whether the selected path still works. Consent (RFC 7675) takes 30 s to notice that it does not;
// traffic notices within one second: what was sent and got no sign of life, a consent check without
// an answer, a refusal by the kernel. Doubt costs nothing but a check: data keeps flowing until
// something better is known.

#include <optional>

#include "protocol/base/time.hpp"

namespace nat::ice {

class doubt {
 public:
  explicit doubt(duration after) : after_(after) {}

  // On the selected path. `received`: anything that came from the peer; `answered`: a check of ours
  // came back, so both directions work.
  void sent(time_point now) noexcept;
  void asked(time_point now) noexcept;
  void received(time_point now) noexcept;
  void answered(time_point now) noexcept;
  // A reason to doubt at once. `one_way`: what comes in proves nothing, only an answer clears it.
  void raise(time_point now, bool one_way = false) noexcept;
  // Another path was selected.
  void forget() noexcept;

  [[nodiscard]] std::optional<time_point> raised() const noexcept { return raised_; }
  [[nodiscard]] std::optional<time_point> last_received() const noexcept { return last_received_; }
  // When doubt will be raised if nothing comes; `rtt`: of the path, as long as it is one.
  [[nodiscard]] std::optional<time_point> raised_at(duration rtt) const noexcept;
  // When a doubted path counts as dead: three verifications had time to be answered.
  [[nodiscard]] std::optional<time_point> dead_at(duration rtt) const noexcept;

 private:
  duration after_;
  std::optional<time_point> unanswered_since_;  // nothing at all came since we sent
  std::optional<time_point> asked_since_;       // no check was answered since we asked
  std::optional<time_point> raised_;
  std::optional<time_point> last_received_;
  bool one_way_ = false;  // raised although things come in: only an answer clears it
};

}  // namespace nat::ice
