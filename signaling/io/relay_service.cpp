#include "signaling/io/relay_service.hpp"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include <boost/system/system_error.hpp>

#include "signaling/io/log.hpp"
#include "signaling/io/relay_config.hpp"
#include "signaling/io/sockets.hpp"
#include "stun/io/receive_batch.hpp"
#include "stun/io/udp_descriptor.hpp"

namespace nat::signaling::io {

namespace {

using namespace std::chrono_literals;

// Receive batches of one socket in one turn; then others get theirs.
constexpr int max_batches = 4;
constexpr int relay_buffer = 1 << 20;
constexpr auto own_addresses_interval = 30s;

}  // namespace

class relay_service::socket final : public pollable {
 public:
  socket(relay_service& owner, turn::relay_id id, socket_handle descriptor)
      : owner_(owner), id_(id), descriptor_(std::move(descriptor)) {}

  void handle_ready(std::uint32_t) override {
    if (descriptor_) owner_.handle_peers(*this);
  }
  [[nodiscard]] turn::relay_id id() const noexcept { return id_; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }
  void close() { descriptor_.close(); }

 private:
  relay_service& owner_;
  turn::relay_id id_;
  socket_handle descriptor_;
};

relay_service::relay_service(poller& p, stun::io::gather_queue& queue, client_door& door,
                             const time_point& now, turn::server_config config,
                             random_source& random)
    : poller_(p),
      queue_(queue),
      door_(door),
      now_(now),
      server_(std::move(config), random, std::time(nullptr), now) {
  tick(std::time(nullptr));
}

relay_service::~relay_service() = default;

bool relay_service::handle_client(const path& from, byte_view message) {
  const auto result = server_.handle_client(from, message, now_);
  if (!result.ours) return false;
  if (std::holds_alternative<std::monostate>(result.out)) {
    pump();  // a request may have been answered
  } else {
    carry_out(result.out);
  }
  return true;
}

void relay_service::handle_stream_closed(const path& connection) {
  server_.handle_stream_closed(connection, now_);
  pump();
}

void relay_service::handle_peers(socket& s) {
  auto& batch = stun::io::receive_batch::mine();
  for (int round = 0; round < max_batches && s.descriptor() >= 0; ++round) {
    const auto count = std::max(0, batch.receive(s.descriptor()));
    if (count == 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto item = batch.at(i);
      if (item.truncated) continue;
      stun::io::for_each_datagram(item, [&](byte_view data) {
        carry_out(server_.handle_peer(s.id(), item.from, data, now_));
      });
    }
    queue_.flush();
  }
}

void relay_service::carry_out(const turn::forward& out) {
  if (const auto* peer = std::get_if<turn::to_peer>(&out)) return send_to_peer(*peer);
  if (const auto* client = std::get_if<turn::to_client>(&out)) door_.forward(*client);
}

void relay_service::send_to_peer(const turn::to_peer& out) {
  const int descriptor = sockets_[out.relay]->descriptor();
  if (!out.dont_fragment) return queue_.push(descriptor, out.peer, {}, out.data);
  // Not an attribute of a datagram for the kernel but of a socket: what waits goes before.
  const auto discover = [&](int v4, int v6) {
    if (out.peer.ip.v4) {
      (void)setsockopt(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4);
    } else {
      (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6);
    }
  };
  queue_.flush();
  discover(IP_PMTUDISC_PROBE, IPV6_PMTUDISC_PROBE);
  queue_.push(descriptor, out.peer, {}, out.data);
  queue_.flush();
  discover(IP_PMTUDISC_DONT, IPV6_PMTUDISC_DONT);
}

// Sockets that open at once may let the server ask for more.
void relay_service::pump() {
  while (const auto e = server_.poll_event()) {
    if (const auto* wanted = std::get_if<turn::open_relay>(&*e)) {
      open(*wanted);
    } else {
      close(std::get<turn::close_relay>(*e).relay);
    }
  }
  while (const auto t = server_.poll_transmit()) door_.answer(*t);
}

void relay_service::open(const turn::open_relay& wanted) {
  try {
    socket_handle descriptor(stun::io::open_udp(
        wanted.bind,
        {.report_errors = false, .receive_buffer = relay_buffer, .send_buffer = relay_buffer}));
    if (wanted.relay >= sockets_.size()) sockets_.resize(wanted.relay + 1);
    auto& slot = sockets_[wanted.relay];
    const int fd = descriptor.get();
    slot = std::make_unique<socket>(*this, wanted.relay, std::move(descriptor));
    if (poller_.add(fd, EPOLLIN, *slot)) return server_.relay_opened(wanted.relay, now_);
    slot.reset();
  } catch (const boost::system::system_error& why) {
    log_debug(
        [&] { return log_line{"no relay at " + to_string(wanted.bind) + ": " + why.what()}; });
  }
  ++failed_;
  server_.relay_failed(wanted.relay, now_);
}

void relay_service::close(turn::relay_id id) {
  queue_.flush();  // what it still has to send
  auto& slot = sockets_[id];
  poller_.remove(slot->descriptor());
  slot->close();
  ended_.push_back(std::move(slot));
}

void relay_service::tick(std::int64_t unix_seconds) {
  ended_.clear();
  server_.set_clock(unix_seconds, now_);
  if (own_addresses_read_ == time_point{} || now_ - own_addresses_read_ >= own_addresses_interval) {
    if (auto own = own_addresses()) server_.set_own_addresses(std::move(*own));
    own_addresses_read_ = now_;
  }
  server_.handle_timeout(now_);
  pump();
}

}  // namespace nat::signaling::io
