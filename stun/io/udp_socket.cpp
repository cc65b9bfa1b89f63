#include "stun/io/udp_socket.hpp"

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "stun/io/receive_batch.hpp"
#include "stun/io/send_queue.hpp"
#include "stun/io/sockaddr.hpp"

namespace nat::stun::io {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;

// Batches in one burst, and errors: then other sockets get their turn.
constexpr int max_batches = 4;
constexpr int max_errors = 64;

}  // namespace

// Handlers keep it alive; `closed` ends them. The callbacks are released when the last one is done,
// since one of them may be what closes the socket.
struct udp_socket::state : std::enable_shared_from_this<state> {
  state(const asio::any_io_executor& executor, const endpoint& at, const udp_options& options)
      : socket(executor, at.ip.v4 ? udp::v4() : udp::v6(), open_udp(at, options)),
        local(bound_to(socket.native_handle())) {}

  void wait_readable() {
    socket.async_wait(udp::socket::wait_read,
                      [self = shared_from_this()](boost::system::error_code stopped) {
                        if (stopped || self->closed) return;
                        self->burst();
                        if (!self->closed) self->wait_readable();
                      });
  }

  void burst() {
    take_errors();
    deliver_errors();
    auto& batch = receive_batch::mine();
    for (int round = 0; round < max_batches && !closed; ++round) {
      const auto count = batch.receive(socket.native_handle());
      if (count < 0) {
        take_errors();
        deliver_errors();
        continue;
      }
      deliver(batch, static_cast<std::size_t>(count));
      if (static_cast<std::size_t>(count) < receive_batch::capacity) break;
    }
    if (!closed && on_idle) on_idle();
  }

  void deliver(const receive_batch& batch, std::size_t count) {
    for (std::size_t i = 0; i < count && !closed; ++i) {
      const auto item = batch.at(i);
      const auto datagrams = item.segment_size == 0
                                 ? 1
                                 : (item.data.size() + item.segment_size - 1) / item.segment_size;
      if (item.truncated) {
        stats.dropped += datagrams;
        continue;
      }
      stats.received += datagrams;
      if (on_datagram) {
        on_datagram({item.from, item.destination.value_or(local.ip), item.data, item.segment_size});
      }
    }
  }

  void take_errors() {
    for (int i = 0; i < max_errors; ++i) {
      const auto error = take_socket_error(socket.native_handle());
      if (!error) return;
      if (error->error_number != 0) errors.push_back(*error);
    }
  }

  void deliver_errors() {
    const auto due = std::exchange(errors, {});
    for (const auto& error : due) {
      if (!closed && on_error) on_error(error.destination, error.error_number);
    }
  }

  void flush() {
    if (closed || queue.empty()) return;
    const auto result = queue.flush(socket.native_handle(), errors);
    stats.sent += result.sent;
    stats.dropped += result.lost;
    if (!errors.empty()) report_later();
    if (result.blocked && !waiting_writable) wait_writable();
  }

  // The owner is in the middle of sending: it hears of failures when it is done.
  void report_later() {
    if (std::exchange(report_posted, true)) return;
    asio::post(socket.get_executor(), [self = shared_from_this()] {
      self->report_posted = false;
      if (self->closed) return;
      self->deliver_errors();
      if (!self->closed && self->on_idle) self->on_idle();
    });
  }

  void wait_writable() {
    waiting_writable = true;
    socket.async_wait(udp::socket::wait_write,
                      [self = shared_from_this()](boost::system::error_code stopped) {
                        if (stopped || self->closed) return;
                        self->waiting_writable = false;
                        self->flush();
                        if (!self->waiting_writable) self->tell_writable();
                      });
  }

  void tell_writable() {
    if (const auto call = std::exchange(on_writable, {})) call();
  }

  void close() {
    if (std::exchange(closed, true)) return;
    boost::system::error_code ignored;
    socket.close(ignored);
    queue.clear();
    // Not here: we may be inside one of these.
    asio::post(socket.get_executor(), [self = shared_from_this()] {
      self->on_datagram = {};
      self->on_idle = {};
      self->on_error = {};
      self->on_writable = {};
    });
  }

  udp::socket socket;
  endpoint local;
  send_queue queue{};
  std::vector<socket_error> errors{};
  counters stats{};
  std::function<void(const received&)> on_datagram{};
  std::function<void()> on_idle{}, on_writable{};
  std::function<void(const endpoint&, int)> on_error{};
  bool closed = false, waiting_writable = false, report_posted = false;
};

udp_socket::udp_socket(asio::any_io_executor executor, const endpoint& local, udp_options options)
    : state_(std::make_shared<state>(executor, local, options)) {}

udp_socket::~udp_socket() {
  if (state_) state_->close();
}

udp_socket::udp_socket(udp_socket&&) noexcept = default;

udp_socket& udp_socket::operator=(udp_socket&& other) noexcept {
  if (state_ && state_ != other.state_) state_->close();
  state_ = std::move(other.state_);
  return *this;
}

endpoint udp_socket::local() const {
  return state_->local;
}

void udp_socket::start(
    std::function<void(const received&)> on_datagram, std::function<void()> on_idle,
    std::function<void(const endpoint& destination, int error_number)> on_error) {
  state_->on_datagram = std::move(on_datagram);
  state_->on_idle = std::move(on_idle);
  state_->on_error = std::move(on_error);
  if (!state_->closed) state_->wait_readable();
}

void udp_socket::send(const endpoint& to, byte_view data, std::uint16_t segment_size,
                      std::optional<std::uint8_t> hop_limit, std::optional<address> source) {
  auto& s = *state_;
  const send_queue::options how{segment_size, hop_limit, source};
  if (s.closed || s.queue.push(to, data, how)) return;
  if (!s.waiting_writable) {
    s.flush();
    if (s.queue.push(to, data, how)) return;
  }
  s.stats.dropped += segment_size == 0 ? 1 : (data.size() + segment_size - 1) / segment_size;
}

void udp_socket::flush() {
  if (!state_->waiting_writable) state_->flush();
}

int udp_socket::native_handle() const {
  return state_->socket.native_handle();
}

bool udp_socket::congested() const {
  return state_->waiting_writable;
}

void udp_socket::when_writable(std::function<void()> on_writable) {
  state_->on_writable = std::move(on_writable);
  if (state_->waiting_writable || state_->closed) return;
  asio::post(state_->socket.get_executor(), [self = state_] {
    if (!self->closed && !self->waiting_writable) self->tell_writable();
  });
}

const udp_socket::counters& udp_socket::stats() const {
  return state_->stats;
}

void udp_socket::close() {
  state_->close();
}

}  // namespace nat::stun::io
