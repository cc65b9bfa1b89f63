#include <algorithm>

#include "ice/gather/gather_state.hpp"
#include "stun/turn/client_errors.hpp"

namespace nat::ice {

// When the servers that wait for it are asked by streams: never while a TURN server answers over
// UDP.
std::optional<time_point> gatherer::state::streams_due() const {
  if (!streams_at_ || releasing_) return std::nullopt;
  bool udp_silent = false;
  for (const auto& s : servers_) {
    if (s.what.what != server::kind::turn || s.what.proto != transport::udp) continue;
    if (s.reachable && s.state != progress::failed) return std::nullopt;
    udp_silent |= s.state == progress::asking;
  }
  // With none to wait for, waiting starts when the list is complete.
  if (!udp_silent && servers_ended_) return started_;
  return streams_at_;
}

void gatherer::state::ask_streams(time_point now) {
  streams_at_.reset();
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const auto& s = servers_[i];
    if (s.state == progress::idle && s.what.proto == transport::tcp) open(i, now);
  }
}

void gatherer::state::open(std::size_t i, time_point now) {
  auto& s = servers_[i];
  s.state = progress::asking;
  s.opening = next_stream_++;
  s.opening_deadline = now + config_.stream_timeout;
  events_.push_back(open_stream{
      .id = s.opening, .remote = s.what.address, .tls = s.what.tls, .host = s.what.host});
}

void gatherer::state::stream_opened(std::uint32_t id, const path& connection, time_point now) {
  const auto at = std::ranges::find(servers_, id, &gather_server::opening);
  if (id == 0 || at == servers_.end() || releasing_) {
    events_.push_back(close_stream{connection});  // too late
    return;
  }
  at->opening = 0;
  at->opening_deadline.reset();
  attempt(static_cast<std::size_t>(at - servers_.begin()), connection, now).stream = id;
}

void gatherer::state::stream_closed(std::uint32_t id, std::string reason, time_point now) {
  if (id == 0) return;
  const auto at = std::ranges::find(servers_, id, &gather_server::opening);
  if (at != servers_.end()) {
    at->opening = 0;
    at->opening_deadline.reset();
    return fail_server(*at, -1, std::move(reason), {});
  }
  for (auto r = relays_.begin(); r != relays_.end(); ++r) {
    if (r->stream != id) continue;
    r->stream = 0;
    r->client.handle_stream_closed(now);
    return pump(r, now);
  }
}

void gatherer::state::stream_timeouts(time_point now) {
  for (auto& s : servers_) {
    if (!s.opening_deadline || now < *s.opening_deadline) continue;
    s.opening_deadline.reset();
    s.opening = 0;
    fail_server(s, 0, turn::explain(0), {});
  }
}

}  // namespace nat::ice
