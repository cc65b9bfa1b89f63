#pragma once

// One Binding request from one socket to one server: RFC 8489, 3; RFC 8445, 5.1.1.2.

#include <expected>
#include <optional>
#include <string>

#include "protocol/base/bytes.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/random.hpp"
#include "stun/message.hpp"
#include "stun/transaction.hpp"

namespace nat::ice {

struct binding_refusal {
  int code;
  std::string phrase;
  std::optional<endpoint> alternate;  // with 300
};

class binding_probe {
 public:
  binding_probe(std::size_t server, const path& via, bool keepalive, const stun::retransmission&,
                random_source&, time_point now);

  [[nodiscard]] std::size_t server() const { return server_; }
  [[nodiscard]] const path& via() const { return via_; }
  // Keeps a mapping open; that nobody answers means nothing.
  [[nodiscard]] bool keepalive() const { return keepalive_; }
  [[nodiscard]] time_point started() const { return started_; }
  [[nodiscard]] stun::retransmit_timer& timer() { return timer_; }
  [[nodiscard]] const stun::retransmit_timer& timer() const { return timer_; }
  [[nodiscard]] bytes request() const;

  // nullopt: not the answer to this one, or not one that can be used.
  [[nodiscard]] std::optional<std::expected<endpoint, binding_refusal>> read_answer(
      const path& from, const stun::message_view&) const;

 private:
  std::size_t server_;
  path via_;
  bool keepalive_;
  stun::transaction_id id_;
  time_point started_;
  stun::retransmit_timer timer_;
};

}  // namespace nat::ice
