#include "signaling/io/stun_service.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/base/ensure.hpp"
#include "stun/io/receive_batch.hpp"
#include "stun/io/udp_descriptor.hpp"
#include "stun/server.hpp"

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
};

stun_service::stun_service(poller& p, const time_point& now) : poller_(p), now_(now) {}

stun_service::~stun_service() = default;

endpoint stun_service::add(const endpoint& where) {
  fronts_.push_back(std::make_unique<front>(*this, where));
  return fronts_.back()->local();
}

void stun_service::serve_relays(turn::server_config config, random_source& random) {
  client_door& door = *this;
  relays_ = std::make_unique<relay_service>(poller_, queue_, door, now_, std::move(config), random);
}

void stun_service::start() {
  for (auto& f : fronts_) ensure(poller_.add(f->descriptor(), EPOLLIN, *f));
}

void stun_service::tick(std::int64_t unix_seconds) {
  if (relays_) relays_->tick(unix_seconds);
  queue_.flush();
}

void stun_service::take(front& f) {
  auto& batch = stun::io::receive_batch::mine();
  for (int round = 0; round < max_batches; ++round) {
    const auto count = std::max(0, batch.receive(f.descriptor()));
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto item = batch.at(i);
      if (item.truncated) continue;
      const path from{
          transport::udp, {item.destination.value_or(f.local().ip), f.local().port}, item.from};
      stun::io::for_each_datagram(item, [&](byte_view data) { dispatch(f, from, data); });
    }
    queue_.flush();
    if (static_cast<std::size_t>(count) < stun::io::receive_batch::capacity) return;
  }
}

void stun_service::dispatch(const front& f, const path& from, byte_view datagram) {
  if (relays_ && !is_binding_request(datagram) && relays_->handle_client(from, datagram)) return;
  ++requests_;
  std::array<std::byte, stun::max_binding_answer> out;
  const auto reply = stun::answer(datagram, from.remote, out);
  if (!reply) return;
  ++answers_;
  const auto made = queue_.room(reply->size());
  std::memcpy(made.data(), reply->data(), reply->size());
  queue_.push(f.descriptor(), from.remote, f.source(from.local.ip), made);
}

const stun_service::front* stun_service::front_of(const endpoint& local) const noexcept {
  const auto at = std::ranges::find_if(fronts_, [&](const auto& f) { return f->serves(local); });
  return at == fronts_.end() ? nullptr : at->get();
}

void stun_service::forward(const turn::to_client& out) {
  const auto* f = front_of(out.via.local);
  if (f == nullptr) return;
  const auto header = out.header();
  const auto made = queue_.room(header.size());
  std::memcpy(made.data(), header.data(), header.size());
  queue_.push(f->descriptor(), out.via.remote, f->source(out.via.local.ip), made, out.data,
              byte_view(zeros).first(out.padding));
}

void stun_service::answer(const transmit& t) {
  const auto* f = front_of(t.via.local);
  if (f == nullptr) return;
  ++answers_;
  const auto made = queue_.room(t.data.size());
  std::memcpy(made.data(), t.data.data(), t.data.size());
  queue_.push(f->descriptor(), t.via.remote, f->source(t.via.local.ip), made);
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
