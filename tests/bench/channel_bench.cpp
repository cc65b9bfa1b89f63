// What the encrypted channel costs: two connections in one process through memory (the processor
// alone), and two processes over loopback UDP with UDP_SEGMENT and UDP_GRO (what a pipe can carry).
// Prints one JSON object per line: name, value, unit, target.
//   bench_channel [setup|memory|loopback [MEGABYTES [SOCKET_BUFFER_BYTES]]]

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "protocol/base/ensure.hpp"
#include "protocol/base/random.hpp"
#include "protocol/datachannel/connection.hpp"

namespace {

using namespace nat;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t message_size = 64U << 10;

struct fixed_random final : random_source {
  void fill(byte_span out) override { std::ranges::fill(out, std::byte{0x5a}); }
};

double seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return of(use.ru_utime) + of(use.ru_stime);
}

void report(const char* name, double value, const char* unit, double target) {
  std::printf(R"({"name":"%s","value":%.3f,"unit":"%s","target":%g})"
              "\n",
              name, value, unit, target);
  std::fflush(stdout);
}

datachannel::connection make(bool client, const dtls::certificate& own,
                             const dtls::fingerprint& remote, random_source& random, time_point now,
                             std::size_t mtu) {
  datachannel::connection_config config;
  config.role = client ? datachannel::dtls_role::client : datachannel::dtls_role::server;
  config.remote = remote;
  config.initial_rtt = 1ms;
  config.mtu = mtu;
  return {config, own, random, now};
}

// --- through memory ------------------------------------------------------------------------------

struct memory_pair {
  fixed_random random;
  const dtls::certificate &ca, &cb;
  time_point now = clock_type::now();
  datachannel::connection a, b;
  std::size_t received = 0, opened = 0, datagrams = 0;

  memory_pair(std::size_t mtu, const dtls::certificate& for_a, const dtls::certificate& for_b)
      : ca(for_a),
        cb(for_b),
        a(make(true, ca, cb.fingerprint(), random, now, mtu)),
        b(make(false, cb, ca.fingerprint(), random, now, mtu)) {}

  bool carry(datachannel::connection& from, datachannel::connection& to) {
    bool any = false;
    while (auto batch = from.poll_transmit()) {
      any = true;
      const std::size_t step = batch->segment_size ? batch->segment_size : batch->data.size();
      for (std::size_t at = 0; at < batch->data.size(); at += step, ++datagrams) {
        to.handle_datagram(
            byte_view(batch->data).subspan(at, std::min(step, batch->data.size() - at)), now);
      }
    }
    return any;
  }
  void events(datachannel::connection& of) {
    while (auto event = of.poll_event()) {
      if (const auto* m = std::get_if<datachannel::message>(&*event)) received += m->data.size();
      if (std::holds_alternative<datachannel::channel_opened>(*event)) ++opened;
    }
  }
  void turn() {
    now = clock_type::now();
    bool any = carry(a, b);
    any |= carry(b, a);
    events(a);
    events(b);
    if (!any) {
      a.handle_timeout(now);
      b.handle_timeout(now);
    }
  }
};

constexpr int setup_rounds = 100;

void bench_setup() {
  double best = 1e9, certificates = 1e9;
  for (int i = 0; i < setup_rounds; ++i) {
    const auto start = cpu_seconds();
    const dtls::certificate ca, cb;  // a peer has made its own before it knows whom it will meet
    const auto met = cpu_seconds();
    memory_pair pair(1200, ca, cb);
    (void)pair.a.open({.label = "x"}, pair.now);
    while (pair.opened < 2) pair.turn();
    best = std::min(best, cpu_seconds() - met);
    certificates = std::min(certificates, met - start);
  }
  report("channel_two_certificates_cpu", certificates * 1e3, "ms", 3);
  report("channel_setup_both_ends_cpu", best * 1e3, "ms", 3);
}

void bench_memory(std::size_t mtu, std::size_t total, const char* name, double target) {
  const dtls::certificate ca, cb;
  memory_pair pair(mtu, ca, cb);
  const auto id = *pair.a.open({.label = "x"}, pair.now);
  while (pair.opened < 2) pair.turn();
  const bytes chunk(message_size, std::byte{0x33});
  std::size_t sent = 0;
  const auto start = cpu_seconds();
  while (pair.received < total) {
    while (sent < total && pair.a.send(id, chunk, true, pair.now)) sent += chunk.size();
    pair.turn();
  }
  report(name, (cpu_seconds() - start) * 1e9 / static_cast<double>(total), "ns/byte", target);
}

// --- two processes over loopback -----------------------------------------------------------------

struct udp_end {
  int fd = -1;
  datachannel::connection* peer = nullptr;
  std::array<std::byte, 1U << 16> buffer;

  void send_all() {
    while (auto batch = peer->poll_transmit()) {
      iovec part{batch->data.data(), batch->data.size()};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
      if (batch->segment_size != 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        std::memcpy(CMSG_DATA(header), &batch->segment_size, sizeof(std::uint16_t));
      }
      while (sendmsg(fd, &message, 0) < 0 && errno == EAGAIN) {
        pollfd wait{fd, POLLOUT, 0};
        ::poll(&wait, 1, 10);
      }
    }
  }
  // False: nothing was there.
  bool receive(time_point now) {
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto count = recvmsg(fd, &message, MSG_DONTWAIT);
    if (count <= 0) return false;
    auto step = static_cast<std::size_t>(count);
    for (auto* h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
      int size = 0;
      if (h->cmsg_level != SOL_UDP || h->cmsg_type != UDP_GRO) continue;
      std::memcpy(&size, CMSG_DATA(h), sizeof size);
      step = static_cast<std::size_t>(size);
    }
    const auto all = byte_view(buffer).first(static_cast<std::size_t>(count));
    for (std::size_t at = 0; at < all.size(); at += step) {
      peer->handle_datagram(all.subspan(at, std::min(step, all.size() - at)), now);
    }
    return true;
  }
  void wait(time_point now) {
    const auto due = peer->next_timeout();
    const auto left = due ? std::max<duration>(*due - now, 0ns) : duration{100ms};
    pollfd ready{fd, POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
    const auto later = clock_type::now();
    if (due && later >= *due) peer->handle_timeout(later);
  }
};

int socket_buffer = 4 << 20;  // what io/udp_socket asks for

int loopback_socket() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ensure(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
  const int on = 1, size = socket_buffer;
  setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
  for (const int option : {SO_RCVBUF, SO_SNDBUF}) {
    setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);
  }
  return fd;
}

void connect_to(int fd, int other) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(other, reinterpret_cast<sockaddr*>(&address), &length);
  ensure(connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
}

// One end's loop, until `done`.
template <class Fill, class Done>
void drive(udp_end& end, Fill fill, Done done) {
  for (;;) {
    auto now = clock_type::now();
    for (int i = 0; i < 16 && end.receive(now); ++i) {
    }
    bool closed = false;
    while (auto event = end.peer->poll_event()) closed |= done(*event);
    fill(now);
    end.send_all();
    if (closed) return;
    pollfd ready{end.fd, POLLIN, 0};
    if (::poll(&ready, 1, 0) == 0) end.wait(now);
  }
}

[[noreturn]] void run_sender(int fd, const dtls::certificate& own, const dtls::fingerprint& remote,
                             std::size_t mtu, std::size_t total) {
  fixed_random random;
  const auto now = clock_type::now();
  auto connection = make(true, own, remote, random, now, mtu);
  auto end = std::make_unique<udp_end>();
  end->fd = fd;
  end->peer = &connection;
  const auto id = *connection.open({.label = "x"}, now);
  const bytes chunk(message_size, std::byte{0x33});
  std::size_t sent = 0;
  drive(
      *end,
      [&](time_point when) {
        while (sent < total && connection.send(id, chunk, true, when)) sent += chunk.size();
      },
      [&](const datachannel::event& e) {
        return std::holds_alternative<datachannel::closed>(e) ||
               std::holds_alternative<datachannel::failed>(e);
      });
  std::fprintf(stderr, "sender: %.3f s of CPU\n", cpu_seconds());
  _exit(0);
}

void bench_processes(std::size_t mtu, std::size_t total, const char* name, double target) {
  const dtls::certificate ca, cb;
  const int fa = loopback_socket(), fb = loopback_socket();
  connect_to(fa, fb);
  connect_to(fb, fa);
  const auto child = fork();
  if (child == 0) run_sender(fa, ca, cb.fingerprint(), mtu, total);
  close(fa);
  fixed_random random;
  auto connection = make(false, cb, ca.fingerprint(), random, clock_type::now(), mtu);
  auto end = std::make_unique<udp_end>();
  end->fd = fb;
  end->peer = &connection;
  std::size_t received = 0;
  std::optional<time_point> first;
  const auto cpu = cpu_seconds();
  drive(
      *end, [](time_point) {},
      [&](const datachannel::event& e) {
        if (const auto* m = std::get_if<datachannel::message>(&e)) {
          if (!first) first = clock_type::now();
          received += m->data.size();
        }
        return received >= total;
      });
  const auto took = seconds(clock_type::now() - *first);
  connection.shutdown(clock_type::now());
  end->send_all();
  std::fprintf(stderr, "receiver: %.3f s of CPU in %.3f s\n", cpu_seconds() - cpu, took);
  report(name, static_cast<double>(received) / 1e6 / took, "MB/s", target);
  // The sender ends when it hears of the end, or is ended.
  for (int i = 0; i < 50 && waitpid(child, nullptr, WNOHANG) == 0; ++i) {
    for (int k = 0; k < 16 && end->receive(clock_type::now()); ++k) {
    }
    end->send_all();
    usleep(2000);
    if (i == 49) kill(child, SIGTERM);
  }
  close(fb);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  const auto wanted = [&](std::string_view name) { return only.empty() || only == name; };
  const std::size_t megabytes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 512;
  if (argc > 3) socket_buffer = std::atoi(argv[3]);
  const std::size_t total = megabytes << 20;
  if (wanted("setup")) bench_setup();
  if (wanted("memory")) bench_memory(1200, total / 2, "channel_memory_cpu_both_ends_mtu1200", 10);
  if (wanted("loopback")) bench_processes(1200, total, "channel_loopback_mtu1200", 120);
  return 0;
}
