#include "signaling/io/event_loop.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include <boost/asio/post.hpp>

#include "signaling/io/prefetch.hpp"

namespace nat::signaling::io {

namespace {

using namespace std::chrono_literals;

constexpr auto tick_interval = 250ms;
constexpr auto handshake_timeout = 10s;
constexpr auto end_timeout = 2s;
constexpr auto stuck_after = 5s;

}  // namespace

event_loop::event_loop(std::uint32_t number, const shared_parts& shared)
    : number_(number),
      shared_(shared),
      poller_(
          context_, [this] { start_batch(); }, [this] { flush_all(); }),
      tick_(context_),
      exchange_(number, shared.limits, announcement_, shared.names, shared.penalties),
      stun_(poller_, now_),
      streams_({.poll = poller_,
                .work = work_,
                .memory = shared.memory,
                .stun = stun_,
                .now = now_,
                .limits = shared.limits,
                .random = shared.random,
                .left = [this](const auto& client) { shared_.door.leave(client, now_); }}) {
  stun_.use_streams(streams_);
  exchange_.use_journal(log_);
  update_clock();
  ticked_ = now_;
}

event_loop::~event_loop() = default;

std::size_t event_loop::max_message() const noexcept {
  const auto limit = shared_.limits.max_message_bytes;
  return limit != 0 ? limit : SIZE_MAX / 2;
}

void event_loop::add_listener(socket_handle s, purpose what) {
  listeners_.push_back(std::make_unique<listener>(*this, std::move(s), what));
}

void event_loop::serve_relays(turn::server_config config) {
  stun_.serve_relays(std::move(config), shared_.random);
}

void event_loop::run() {
  poller_.start();
  exchange_.handle_unix_time(std::time(nullptr));
  tick_.expires_after(tick_interval);
  arm_tick();
  context_.run();
}

void event_loop::start_batch() {
  update_clock();
  work_.handshakes_left = workspace::handshakes_a_batch;
}

void event_loop::update_clock() {
  now_ = std::chrono::steady_clock::now();
}

void event_loop::post(std::function<void()> work) {
  boost::asio::post(context_, [this, job = std::move(work)] {
    update_clock();
    job();
    flush_all();
  });
}

bool event_loop::receive(hub::envelope& e) {
  const auto how = inbox_.put(e);
  if (how == inbox::outcome::first) post([this] { take_inbox(); });
  return how != inbox::outcome::full;
}

void event_loop::take_inbox() {
  for (const auto& e : inbox_.take()) {
    exchange_.handle_envelope(e, now_);
    note_delivered(e.arrived == time_point{} ? now_ : e.arrived);
    carry_out();
  }
}

std::optional<address> event_loop::client_at(const address& peer) const {
  return shared_.proxies.trusts(peer) ? std::nullopt : std::optional(peer);
}

void event_loop::turned_away(const address& client, hub::rejection why) {
  ++rejected_[std::to_underlying(why)];
  log_.connection_refused(client, to_string(why));
}

bool event_loop::admit(const address& peer) {
  const auto entered = shared_.door.enter(client_at(peer), now_);
  if (!entered) turned_away(peer, entered.error());
  return entered.has_value();
}

void event_loop::out_of_descriptors() {
  update_clock();
  ++rejected_[std::to_underlying(hub::rejection::descriptors)];
  log_.out_of_descriptors();
}

address event_loop::client_of(const connection& c, std::string_view forwarded_for) const {
  return shared_.proxies.client_of(c.remote().ip, forwarded_for);
}

bool event_loop::identify(connection& c, std::string_view forwarded_for) {
  const auto client = client_of(c, forwarded_for);
  const auto named = shared_.door.name(client, now_);
  if (named) {
    c.set_client(client);
  } else {
    turned_away(client, named.error());
  }
  return named.has_value();
}

// Whoever sends no Origin is no browser, and so not lured here by a page.
bool event_loop::allows_origin(std::string_view origin) const {
  return shared_.allowed_origins.empty() || origin.empty() ||
         std::ranges::find(shared_.allowed_origins, origin) != shared_.allowed_origins.end();
}

void event_loop::accepted(socket_handle socket, const endpoint& remote, const listener& by) {
  update_clock();
  if (by.what() == purpose::stun_stream) {
    return streams_.take(byte_stream(std::move(socket)), remote, client_at(remote.ip));
  }
  std::uint32_t index = 0;
  if (free_indexes_.empty()) {
    index = static_cast<std::uint32_t>(connections_.size());
    connections_.emplace_back();
    serials_.push_back(0);
  } else {
    index = free_indexes_.back();
    free_indexes_.pop_back();
  }
  ++serials_[index];
  ++alive_;
  byte_stream octets(std::move(socket));
  if (tls_) octets.secure(*tls_);
  connections_[index] =
      std::make_unique<connection>(*this, by, std::move(octets), remote, index, now_);
  const auto patience = shared_.limits.register_timeout.count() != 0
                            ? std::min<duration>(handshake_timeout, shared_.limits.register_timeout)
                            : handshake_timeout;
  if (!connections_[index]->watch()) return connections_[index]->abort();
  expect(handshakes_, *connections_[index], patience);
}

void event_loop::hand_over(connection& c, byte_view first) {
  auto octets = c.give_up();
  buried_.push_back(&c);  // who counts it stays
  streams_.take(std::move(octets), c.remote(), c.client(), first);
}

std::uint32_t event_loop::open(connection& c, const address& reached) {
  const auto slot = exchange_.connect({c.named(), unmapped(reached), c.accepted_at()}, now_);
  if (slot >= by_slot_.size()) by_slot_.resize(slot + 1);
  by_slot_[slot] = &c;
  return slot;
}

void event_loop::closed(connection& c, hub::ending how) {
  by_slot_[c.slot()] = nullptr;
  log_.left(c.named(), exchange_.name_of(c.slot()), how == hub::ending::clean);
  exchange_.handle_closed(c.slot(), how, now_);
}

void event_loop::carry_out() {
  while (const auto o = exchange_.poll_output()) {
    // To many at once goes what has been idle for long: pings. Each is fetched from memory while
    // others are written to.
    if (const auto soon = exchange_.slot_ahead(prefetched_ahead); soon && *soon < by_slot_.size()) {
      prefetch(by_slot_[*soon], sizeof(connection));
    }
    carry_out(*o);
  }
  while (auto e = exchange_.poll_envelope()) {
    e->arrived = now_;
    shared_.deliver(*e);
  }
}

void event_loop::carry_out(const hub::output& o) {
  auto* c = o.slot < by_slot_.size() ? by_slot_[o.slot] : nullptr;
  if (!c) return;
  switch (o.what) {
    case hub::output::type::text:
      c->write_frame(websocket::opcode::text, o.payload);
      if (c->much_unwritten()) flush_early(*c);
      return;
    case hub::output::type::ping:
      return c->write_frame(websocket::opcode::ping, {});
    case hub::output::type::close:
      log_.closed(c->named(), exchange_.name_of(o.slot), o.code, o.payload);
      c->finish(o.code, o.payload);
      by_slot_[o.slot] = nullptr;
      return exchange_.handle_closed(o.slot, hub::ending::unclean, now_);
    case hub::output::type::abort:
      log_.closed(c->named(), exchange_.name_of(o.slot), std::nullopt, o.payload);
      return c->abort();
  }
}

void event_loop::flush_later(connection& c) {
  dirty_.push_back(&c);
}

void event_loop::flush_all() {
  while (auto e = exchange_.poll_envelope()) shared_.deliver(*e);  // of connections that ended
  if (after_batch_) after_batch_();
  note_delivered(now_);
  drop_if_fenced();
  flushing_.swap(dirty_);
  for (auto* c : flushing_) c->flush();
  flushing_.clear();
  note_written();
  streams_.flush();
  for (auto* c : buried_) {
    const auto index = c->index();
    connections_[index].reset();
    free_indexes_.push_back(index);
    --alive_;
  }
  buried_.clear();
  if (on_empty_ && alive_ == 0) std::exchange(on_empty_, nullptr)();
}

// The batch was judged by the time at which it began, and this process may have been stopped since:
// what it has for clients is not to go out under names that are another's by now.
void event_loop::drop_if_fenced() {
  if (!exchange_.fenced(std::chrono::steady_clock::now())) return;
  for (auto* c : dirty_) {
    if (c->state() == connection::phase::open) c->abort();
  }
}

void event_loop::flush_early(connection& c) {
  if (!exchange_.fenced(std::chrono::steady_clock::now())) c.flush();
}

void event_loop::bury(connection& c) {
  shared_.door.leave(c.client(), now_);
  buried_.push_back(&c);
}

void event_loop::expect(std::deque<expectation>& queue, const connection& c, duration patience) {
  queue.push_back({now_ + patience, c.index(), serials_[c.index()], c.state()});
}

void event_loop::expect_end(const connection& c) {
  expect(ends_, c, end_timeout);
}

// Each queue's patience is one and the same, so its entries stand in the order of their times.
void event_loop::check(std::deque<expectation>& queue) {
  while (!queue.empty() && queue.front().when <= now_) {
    const auto e = queue.front();
    queue.pop_front();
    auto* c = connections_[e.index].get();
    if (c && serials_[e.index] == e.serial && c->state() == e.phase) c->abort();
  }
}

void event_loop::arm_tick() {
  tick_.async_wait([this](boost::system::error_code stopped) {
    if (stopped) return;
    tick();
    tick_.expires_after(tick_interval);
    arm_tick();
  });
}

void event_loop::tick() {
  update_clock();
  ticked_.store(now_, std::memory_order_relaxed);
  note_lag(now_ - tick_.expiry());
  log_.tick();
  for (auto& l : listeners_) l->wake();
  const auto unix_now = std::time(nullptr);
  exchange_.handle_unix_time(unix_now);
  stun_.tick(unix_now);
  streams_.tick();
  check(handshakes_);
  check(ends_);
  exchange_.handle_timeout(now_);
  carry_out();
  relieve_memory();
  flush_all();
}

// Four times a second: what comes in between is more than the budget, but no more than the network
// brings in that time.
void event_loop::relieve_memory() {
  if (!shared_.memory.spent()) return;
  std::vector<keeper> all;
  for (const auto& c : connections_) {
    if (c && c->kept() > 0) all.push_back({c->kept(), [this, &c = *c] { end_for_memory(c); }});
  }
  streams_.list_keepers(all);
  end_fullest(std::move(all), shared_.memory.part());
}

void event_loop::end_for_memory(connection& c) {
  if (c.slot() == no_slot) return c.abort();
  exchange_.handle_overload(c.slot(), now_);
  carry_out();
}

// What was queued for clients since the last look came in at that time.
void event_loop::note_delivered(time_point arrived) {
  const auto all = exchange_.stats().delivered;
  const auto messages = all - std::exchange(delivered_, all);
  if (messages == 0) return;
  if (unwritten_.empty() || unwritten_.back().arrived != arrived)
    unwritten_.push_back({arrived, 0});
  unwritten_.back().messages += messages;
}

void event_loop::note_written() {
  if (unwritten_.empty()) return;
  const auto written = std::chrono::steady_clock::now();
  for (const auto& u : unwritten_) forwarding_.observe(written - u.arrived, u.messages);
  unwritten_.clear();
}

bool event_loop::turned(time_point now) const noexcept {
  return now - ticked_.load(std::memory_order_relaxed) < stuck_after;
}

void event_loop::note_lag(duration late) {
  lag_.observe(late);
  worst_lag_.pass(now_);
  worst_lag_.note(late);
}

void event_loop::drain(duration over, std::function<void()> on_empty) {
  for (auto& l : listeners_) l->close();
  for (auto& c : connections_) {
    if (c && c->state() == connection::phase::upgrading) c->abort();
  }
  exchange_.drain(now_, over);
  carry_out();
  on_empty_ = std::move(on_empty);
}

event_loop::snapshot event_loop::look() const {
  snapshot out{
      .counted = exchange_.stats(), .rejected = rejected_, .stun = {}, .tls = work_.tls_counted};
  out.lag_seconds = std::chrono::duration<double>(worst_lag_.value()).count();
  out.forwarding = forwarding_;
  out.lag = lag_;
  out.stun = stun_.stats();
  const auto streams = streams_.stats();
  out.stun.streams = streams.open;
  out.stun.streams_opened = streams.opened;
  out.stun.streams_dropped = streams.dropped;
  out.stun.streams_flooded = streams.flooded;
  return out;
}

}  // namespace nat::signaling::io
