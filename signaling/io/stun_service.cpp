#include "signaling/io/stun_service.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/base/ensure.hpp"
#include "stun/io/receive_batch.hpp"
#include "stun/io/udp_descriptor.hpp"

namespace nat::signaling::io {

namespace {

// Receive batches of one socket in one turn; then others get theirs.
constexpr int max_batches = 8;
constexpr std::array<std::byte, 4> zeros{};

// By its type alone, which spares what is no business of the relay's a second look.
bool is_binding_request(byte_view datagram) noexcept {
  return datagram.size() >= 2 && datagram[0] == std::byte{0} && datagram[1] == std::byte{1};
}

}  // namespace

class stun_service::front final : public pollable {
 public:
  front(stun_service& owner, const endpoint& at)
      : owner_(owner),
        descriptor_(stun::io::open_udp(at, {.reuse_port = true, .report_errors = false})),
        local_(stun::io::bound_to(descriptor_.get())),
        wildcard_(is_unspecified(local_.ip)) {}

  void handle_ready(std::uint32_t) override { owner_.take(*this); }
  void take_part(const behavior& all, stun::server_door as) noexcept {
    behavior_ = &all;
    door_ = as;
  }
  [[nodiscard]] const behavior* part_of() const noexcept { return behavior_; }
  [[nodiscard]] const stun::server_door& door() const noexcept { return door_; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }
  [[nodiscard]] const endpoint& local() const noexcept { return local_; }
  [[nodiscard]] bool serves(const endpoint& e) const noexcept {
    return e.port == local_.port && (e.ip == local_.ip || (wildcard_ && e.ip.v4 == local_.ip.v4));
  }
  // What the kernel has to be told for an answer from `ip`.
  [[nodiscard]] std::optional<address> source(const address& ip) const noexcept {
    return wildcard_ ? std::optional(ip) : std::nullopt;
  }

 private:
  stun_service& owner_;
  socket_handle descriptor_;
  endpoint local_;
  bool wildcard_;
  const behavior* behavior_ = nullptr;  // of RFC 5780's four, this is door_
  stun::server_door door_;
};

stun_service::stun_service(poller& p, const time_point& now) : poller_(p), now_(now) {}

stun_service::~stun_service() = default;

void stun_service::add(const endpoint& where) {
  auto& made = *fronts_.emplace_back(std::make_unique<front>(*this, where));
  if (!poller_.add(made.descriptor(), EPOLLIN, made)) {
    throw startup_error{"failed to watch a STUN socket: raise fs.epoll.max_user_watches"};
  }
}

void stun_service::add_alternate(const endpoint& primary, const endpoint& alternate) {
  auto& all = *behaviors_.emplace_back(std::make_unique<behavior>());
  const auto place = [&](front& f, stun::server_door door) {
    f.take_part(all, door);
    all.doors[behavior::index(door)] = &f;
  };
  const auto first = std::ranges::find(fronts_, primary, [](const auto& f) { return f->local(); });
  ensure(first != fronts_.end() && !is_unspecified(primary.ip));
  place(**first, {});
  all.addresses = {primary, alternate};
  add(alternate);
  place(*fronts_.back(), {true, true});
  for (const stun::server_door door : {stun::server_door{true, false}, {false, true}}) {
    add(all.addresses.at(door));
    place(*fronts_.back(), door);
  }
}

void stun_service::serve_relays(turn::server_config config, random_source& random) {
  client_door& door = *this;
  relays_ = std::make_unique<relay_service>(poller_, queue_, door, now_, std::move(config), random);
}

void stun_service::tick(std::int64_t unix_seconds) {
  if (relays_) relays_->tick(unix_seconds);
  queue_.flush();
}

void stun_service::take(front& f) {
  auto& batch = stun::io::receive_batch::mine();
  for (int round = 0; round < max_batches; ++round) {
    const auto count = std::max(0, batch.receive(f.descriptor()));
    if (count == 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto item = batch.at(i);
      if (item.truncated) continue;
      const path from{
          transport::udp, {item.destination.value_or(f.local().ip), f.local().port}, item.from};
      stun::io::for_each_datagram(item, [&](byte_view data) { dispatch(f, from, data); });
    }
    queue_.flush();
  }
}

void stun_service::dispatch(const front& f, const path& from, byte_view datagram) {
  if (relays_ && !is_binding_request(datagram) && relays_->handle_client(from, datagram)) return;
  ++requests_;
  if (f.part_of() != nullptr) return answer_behavior(f, from, datagram);
  std::array<std::byte, stun::max_binding_answer> out;
  if (const auto reply = stun::answer(datagram, from.remote, out)) send(f, from, *reply);
}

void stun_service::answer_behavior(const front& f, const path& from, byte_view request) {
  const auto& all = *f.part_of();
  std::array<std::byte, stun::max_behavior_answer> out;
  const auto reply = stun::answer(request, from.remote, f.door(), all.addresses, out);
  if (!reply) return;
  const auto& through = *all.doors[behavior::index(reply->through)];
  send(through, {transport::udp, through.local(), reply->to}, reply->data);
}

void stun_service::send(const front& f, const path& reply, byte_view made_elsewhere) {
  ++answers_;
  const auto made = queue_.room(made_elsewhere.size());
  std::memcpy(made.data(), made_elsewhere.data(), made_elsewhere.size());
  queue_.push(f.descriptor(), reply.remote, f.source(reply.local.ip), made);
}

const stun_service::front* stun_service::front_of(const endpoint& local) const noexcept {
  const auto at = std::ranges::find_if(fronts_, [&](const auto& f) { return f->serves(local); });
  return at == fronts_.end() ? nullptr : at->get();
}

bool stun_service::handle_stream_message(const path& from, byte_view message) {
  if (relays_ && !is_binding_request(message) && relays_->handle_client(from, message)) return true;
  ++requests_;
  std::array<std::byte, stun::max_binding_answer> out;
  const auto reply = stun::answer(message, from.remote, out);
  if (reply) answer({.via = from, .data = to_bytes(*reply), .hop_limit = {}});
  return reply.has_value();
}

void stun_service::handle_stream_closed(const path& connection) {
  if (relays_) relays_->handle_stream_closed(connection);
}

bool stun_service::has_allocation(const path& client) const {
  return relays_ && relays_->has_allocation(client);
}

void stun_service::forward(const turn::to_client& out) {
  if (out.via.proto == transport::tcp) return streams_->forward(out);
  const auto* f = front_of(out.via.local);
  if (f == nullptr) return;
  const auto header = out.header();
  const auto made = queue_.room(header.size());
  std::memcpy(made.data(), header.data(), header.size());
  queue_.push(f->descriptor(), out.via.remote, f->source(out.via.local.ip), made, out.data,
              byte_view(zeros).first(out.padding));
}

void stun_service::answer(const transmit& t) {
  if (t.via.proto == transport::tcp) {
    ++answers_;
    return streams_->answer(t);
  }
  if (const auto* f = front_of(t.via.local)) send(*f, t.via, t.data);
}

hub::stun_counters stun_service::stats() const noexcept {
  hub::stun_counters out{.requests = requests_,
                         .answers = answers_,
                         .datagrams_out = queue_.stats().sent,
                         .datagrams_lost = queue_.stats().lost,
                         .turn = {}};
  if (!relays_) return out;
  out.turn = relays_->stats();
  out.relay_sockets_failed = relays_->failed();
  return out;
}

}  // namespace nat::signaling::io
