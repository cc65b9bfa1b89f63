#pragma once

// One mapping's life, whichever protocol asks for it: when to ask (again), when to renew, when it
// is lost, when a refusal is over, and how it is given back. Says when; what is sent is the
// client's.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/endpoint.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"

namespace nat::portmap {

struct lease_rules {
  // RFC 6887, 8.1.1 starts at 3 s; RFC 6886, 3.1 at 250 ms, for the same gateway on the same LAN.
  duration initial_rto = std::chrono::milliseconds{250};
  duration max_rto = std::chrono::seconds{1024};
  std::uint32_t max_sends = 0;    // without an answer: then the protocol is not spoken; 0: for ever
  std::uint32_t quiet_sends = 3;  // unanswered: whoever waits for the outcome need not any longer
  std::uint32_t release_sends = 3;
  std::chrono::seconds wanted{3600};         // RFC 6886, 3.3 recommends two hours
  std::chrono::seconds longest{24 * 3600};   // taken for granted for so long at most
  std::chrono::seconds between_renewals{4};  // RFC 6887, 11.2.1
  std::chrono::seconds min_refusal{30}, max_refusal{1800};
};

class lease {
 public:
  enum class standing : std::uint8_t { idle, asking, granted, refused, absent, released };

  lease(const lease_rules& rules, random_source& random) : rules_(rules), random_(&random) {}

  void ask(time_point now);  // the first request is due at once
  void grant(const endpoint& external, std::uint32_t lifetime, time_point now);
  // Asked again after `retry_after` seconds, kept between min_refusal and max_refusal. What was
  // granted before stands until it runs out.
  void refuse(std::string reason, std::uint32_t retry_after, time_point now);
  void give_up(std::string reason);  // not spoken here; nothing is asked again
  void renew(time_point now);        // sooner than half-time: the gateway has lost its state
  // The gateway speaks the protocol: its confirmation of the release is waited for. One that has
  // never answered is told once, and nobody waits.
  void heard() { heard_ = true; }
  void release(time_point now);
  void release_confirmed();

  // True: a request is to be sent.
  [[nodiscard]] bool handle_timeout(time_point now);
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] standing state() const { return state_; }
  // What stands, also while it is renewed.
  [[nodiscard]] const std::optional<endpoint>& external() const { return external_; }
  [[nodiscard]] std::chrono::seconds lifetime() const { return lifetime_; }
  [[nodiscard]] std::chrono::seconds wanted() const { return rules_.wanted; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // A request is out, and an answer to it is welcome.
  [[nodiscard]] bool expects_answer() const { return resend_at_.has_value(); }
  [[nodiscard]] bool releasing() const { return releasing_; }
  [[nodiscard]] bool released() const;
  [[nodiscard]] bool settled() const;

 private:
  void start_sending(time_point at);
  void sent(time_point now);

  lease_rules rules_;
  random_source* random_;
  standing state_ = standing::idle;
  bool releasing_ = false;
  bool ever_sent_ = false;  // the gateway may hold something of ours
  bool heard_ = false;
  std::uint32_t sends_ = 0;
  std::optional<time_point> resend_at_, renew_at_, expires_at_, retry_at_;
  std::optional<time_point> last_sent_;
  std::optional<endpoint> external_;
  std::chrono::seconds lifetime_{};
  std::string reason_;
};

}  // namespace nat::portmap
