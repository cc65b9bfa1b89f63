#pragma once

// What one event loop writes of its clients. What strangers can cause at will is limited, each kind
// by itself, so that a flood of one hides no other.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/base/endpoint.hpp"
#include "signaling/hub/counters.hpp"
#include "signaling/hub/journal.hpp"
#include "signaling/hub/line_limiter.hpp"
#include "signaling/io/log.hpp"
#include "signaling/websocket/frame.hpp"

namespace nat::signaling::io {

class event_log final : public hub::journal {
 public:
  explicit event_log(const time_point& now) : now_(now) {}  // the loop's clock

  void registered(const address& client, std::string_view name, bool resumed) override;
  void refused(const address& client, std::string_view name, hub::error_code,
               std::string_view reason) override;
  // The server ended it. No code: it was cut off.
  void closed(const address& client, std::string_view name, std::optional<websocket::close_code>,
              std::string_view reason);
  // The client ended it.
  void left(const address& client, std::string_view name, bool clean);
  void tls_failed(const address& client, std::string_view detail);
  // Too many connections, in all or of that client.
  void connection_refused(const address& client, std::string_view reason);
  void origin_refused(const address& client, std::string_view origin);
  void out_of_descriptors();
  void tick();

 private:
  enum class kind : std::uint8_t { refused, penalized, flooding, full, origin, descriptors };
  static constexpr std::array<std::string_view, 6> kinds{
      "registration-refused", "registration-ignored", "closed",
      "connection-refused",   "origin-refused",       "no-descriptors"};
  void warn(kind, std::string message, std::vector<log_line::field> fields);

  const time_point& now_;
  std::array<hub::line_limiter, kinds.size()> limiters_;
};

}  // namespace nat::signaling::io
