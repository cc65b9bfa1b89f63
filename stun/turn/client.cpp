#include "stun/turn/client.hpp"

#include <algorithm>
#include <array>

#include "protocol/demux.hpp"
#include "stun/turn/client_errors.hpp"
#include "stun/turn/client_state.hpp"

namespace nat::turn {

client::state::state(client_config config, random_source& random, time_point now)
    : config_(std::move(config)),
      random_(random),
      credentials_(config_.username, config_.password),
      peers_(config_.max_permissions, config_.max_channels),
      last_sent_(now),
      latest_(now) {
  ask({.why = purpose::allocate}, now);
}

void client::state::queue(bytes wire, time_point now, std::uint16_t segment_size) {
  last_sent_ = now;
  outbox_.push_back({.via = config_.server,
                     .data = std::move(wire),
                     .segment_size = segment_size,
                     .hop_limit = std::nullopt});
}

std::optional<time_point> client::state::keepalive_at() const {
  if (phase_ != phase::allocated || stream() || config_.keepalive <= duration{}) return {};
  return last_sent_ + config_.keepalive;
}

std::optional<time_point> client::state::next_timeout() const {
  if (phase_ == phase::finished) return std::nullopt;
  std::optional<time_point> next = keepalive_at();
  for (const auto& r : requests_) next = earlier(next, r.timer.next());
  next = earlier(next, allocate_at_);
  if (phase_ != phase::allocated) return next;
  next = earlier(next, peers_.next_renewal());
  return earlier(next, refreshing_ ? expires_ : std::min(refresh_at_, expires_));
}

void client::state::handle_timeout(time_point now) {
  for (std::size_t i = 0; i < requests_.size();) {
    using action = stun::retransmit_timer::action;
    const auto due = requests_[i].timer.poll(now);
    // A caller that does not drain has lost this one.
    if (due == action::resend && outbox_.size() < config_.max_outbox) {
      queue(requests_[i].wire, now);
    }
    if (due != action::give_up) {
      ++i;
      continue;
    }
    const auto lost = std::move(requests_[i]);
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(i));
    give_up(lost, now);
    i = 0;  // give_up may ask anew or end everything
  }
  if (allocate_at_ && now >= *allocate_at_) {
    allocate_at_.reset();
    ask({.why = purpose::allocate}, now);
  }
  if (phase_ != phase::allocated) return;
  if (now >= expires_) return fail(0, "the allocation has expired: " + explain(0));
  if (now >= refresh_at_ && !refreshing_) {
    refreshing_ = true;
    ask({.why = purpose::refresh}, now);
  }
  renew_grants(now);
  if (const auto at = keepalive_at(); at && now >= *at) {
    last_sent_ = now;
    std::array<std::byte, 64> buffer;
    stun::message_writer out(buffer, stun::binding_indication, stun::make_transaction_id(random_));
    const auto wire = out.finish_fingerprint();
    if (wire && outbox_.size() < config_.max_outbox) queue(to_bytes(*wire), now);
  }
}

client::client(client_config config, random_source& random, time_point now)
    : state_(std::make_unique<state>(std::move(config), random, now)) {}
client::~client() = default;
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;

client::consumed client::handle_datagram(const path& from, byte_view datagram, time_point now) {
  if (from != state_->config_.server) return {};
  state_->latest_ = now;
  switch (classify(datagram)) {
    case datagram_kind::turn_channel:
      return state_->receive(datagram);
    case datagram_kind::stun:
      break;
    default:
      return {};
  }
  const auto view = stun::message_view::parse(datagram);
  if (!view || view->type().method == stun::method::binding) return {};
  if (view->type() == stun::message_type{stun::method::data, stun::kind::indication}) {
    return {.ours = true, .data = state_->read_indication(*view)};
  }
  state_->handle_answer(*view, now);
  return {.ours = true, .data = std::nullopt};
}

void client::handle_timeout(time_point now) {
  state_->latest_ = now;
  if (state_->phase_ != phase::finished) state_->handle_timeout(now);
}

void client::handle_stream_closed(time_point now) {
  state_->latest_ = now;
  if (state_->phase_ == phase::finished) return;
  if (state_->phase_ == phase::releasing) {
    state_->finish(released{});
  } else {
    state_->fail(-1, explain(-1));
  }
}

void client::approve(time_point now) {
  state_->latest_ = now;
  state_->approve(now);
}

void client::permit(const address& peer, time_point now) {
  state_->latest_ = now;
  if (state_->phase_ < phase::releasing) (void)state_->want_permission(unmapped(peer), now);
}

void client::bind_channel(const endpoint& to, time_point now) {
  state_->latest_ = now;
  if (state_->phase_ >= phase::releasing) return;
  const endpoint peer{unmapped(to.ip), to.port};
  if (state_->want_permission(peer.ip, now) != nullptr) (void)state_->peers_.add_channel(peer);
}

bool client::send(const endpoint& peer, byte_view data, time_point now,
                  std::uint16_t segment_size) {
  state_->latest_ = now;
  return state_->send({unmapped(peer.ip), peer.port}, data, segment_size, now);
}

std::optional<byte_view> client::wrap(const endpoint& to, byte_view data, byte_span out,
                                      time_point now) {
  state_->latest_ = now;
  const endpoint peer{unmapped(to.ip), to.port};
  auto* allowed = state_->sendable(peer, data, now);
  if (allowed == nullptr) return std::nullopt;
  const auto wrapped = state_->wrap_one(peer, data, out);
  if (!wrapped) return std::nullopt;
  state_->hold(*allowed, *wrapped);
  state_->last_sent_ = now;
  return wrapped;
}

void client::release(time_point now) {
  state_->latest_ = now;
  if (state_->phase_ < phase::releasing) state_->release(now);
}

std::optional<transmit> client::poll_transmit() {
  if (state_->phase_ == phase::allocated) state_->flush_wanted(state_->latest_);
  if (state_->outbox_.empty()) return std::nullopt;
  auto first = std::move(state_->outbox_.front());
  state_->outbox_.pop_front();
  return first;
}

std::optional<client_event> client::poll_event() {
  if (state_->events_.empty()) return std::nullopt;
  auto first = std::move(state_->events_.front());
  state_->events_.pop_front();
  return first;
}

std::optional<time_point> client::next_timeout() const {
  return state_->next_timeout();
}

std::optional<endpoint> client::relayed(bool v4) const {
  return state_->relayed(v4);
}

bool client::channel_bound(const endpoint& peer) const {
  const auto* c = state_->peers_.find_channel(endpoint{unmapped(peer.ip), peer.port});
  return c != nullptr && c->state == grant::active;
}

bool client::finished() const {
  return state_->phase_ == phase::finished;
}

const client_counters& client::counters() const {
  return state_->counters_;
}

}  // namespace nat::turn
