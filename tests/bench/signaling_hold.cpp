// 100,000 idle clients, all there at once, each pinged after the 30 s of silence of SIGNALING.md.
// One server and one process of clients, or as many pairs of them as the limit of descriptors asks
// for. Beside it the floor: a program that does nothing but send as many octets as a ping has, wait
// by epoll, and receive as many as a pong has, on as many sockets, at the same rate, to the same
// clients. What lies between the two is the server's own.

#include <sys/epoll.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <new>
#include <thread>

#include "tests/bench/forked.hpp"
#include "tests/bench/signaling_bench.hpp"
#include "tests/bench/signaling_stream.hpp"

namespace nat::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t wanted = 100'000, per_address = 10'000;  // of 127/8, for the ports
constexpr clock_type::duration ping_interval = 30s, tick = 250ms;

// What processes tell each other: in memory that is theirs together.
struct tally {
  std::atomic<std::size_t> held{0}, pongs{0};
  std::atomic<bool> ended{false};
  std::array<std::atomic<std::uint16_t>, 128> ports{};  // of the floor's processes
};

tally& shared_tally() {
  void* where =
      ::mmap(nullptr, sizeof(tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ensure(where != MAP_FAILED);
  return *new (where) tally;  // until the program's end
}

// Connects `count` clients, evenly over the time given, and answers pings. They look every 5 ms, as
// a client of a network is not woken by the server's send.
std::size_t keep(std::uint16_t port, std::size_t count, clock_type::duration over,
                 const std::string& name, tally& told) {
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<client>> clients;
  const auto start = clock_type::now();
  while (!told.ended) {
    while (clients.size() < count && clock_type::now() - start >= over * clients.size() / count) {
      const auto i = static_cast<std::uint32_t>(clients.size());
      clients.push_back(std::make_unique<client>(port,
                                                 name.empty() ? name : name + std::to_string(i),
                                                 false, INADDR_LOOPBACK + i / per_address));
      epoll_event e{.events = EPOLLIN, .data = {.u32 = i}};
      ensure(::epoll_ctl(poll, EPOLL_CTL_ADD, clients.back()->descriptor(), &e) == 0);
      ++told.held;
    }
    std::array<epoll_event, 1024> ready{};
    const int n = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), 0);
    for (int i = 0; i < n; ++i) {
      told.pongs += clients[ready[static_cast<std::size_t>(i)].data.u32]->answer_ping() ? 1 : 0;
    }
    if (n < static_cast<int>(ready.size())) std::this_thread::sleep_for(5ms);
  }
  return clients.size();
}

// The least that can be done for `count` clients: as above.
std::size_t serve_floor(std::size_t count, std::atomic<std::uint16_t>& port, const tally& told) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  auto* name = reinterpret_cast<sockaddr*>(&where);
  ensure(::bind(listener, name, size) == 0 && ::listen(listener, 4096) == 0 &&
         ::getsockname(listener, name, &size) == 0);
  port = ntohs(where.sin_port);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<int> sockets;
  while (sockets.size() < count) {
    const int s = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ensure(s >= 0);
    const int on = 1;
    ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event e{.events = EPOLLIN, .data = {.fd = s}};
    ensure(::epoll_ctl(poll, EPOLL_CTL_ADD, s, &e) == 0);
    sockets.push_back(s);
  }
  const auto start = clock_type::now();
  std::size_t sent = 0;
  for (int ticks = 1; !told.ended; ++ticks) {
    const auto due = static_cast<std::size_t>(ticks) * count * tick / ping_interval;
    for (; sent < due; ++sent) send_all(sockets[sent % count], std::string_view("\x89\0", 2));
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(start + ticks * tick -
                                                                              clock_type::now());
      if (left <= 0ms) break;
      std::array<epoll_event, 256> ready{};
      const int n = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()),
                                 static_cast<int>(left.count()));
      for (int i = 0; i < n; ++i) {
        std::array<char, 512> pong{};
        const int from = ready[static_cast<std::size_t>(i)].data.fd;
        if (::recv(from, pong.data(), pong.size(), 0) <= 0) {
          ensure(told.ended);
          return sent;
        }
      }
    }
  }
  return sent;
}

// How many of them the i-th of so many holds.
std::size_t share(std::size_t i, std::size_t pairs) {
  return wanted * (i + 1) / pairs - wanted * i / pairs;
}

struct cost {
  double share = 0;  // of one core
  double pongs = 0;  // a second
};

// Once all are held: what it costs for a while, as `cpu_seconds` counts.
template <class Count>
cost watch(tally& told, clock_type::duration how_long, Count cpu_seconds) {
  for (const auto deadline = clock_type::now() + 90s; told.held < wanted;) {
    ensure(clock_type::now() < deadline);
    std::this_thread::sleep_for(10ms);
  }
  std::this_thread::sleep_for(1s);
  const auto start = clock_type::now();
  const auto cpu = cpu_seconds();
  const std::size_t pongs = told.pongs;
  std::this_thread::sleep_for(how_long);
  const auto seconds = since(start);
  return {(cpu_seconds() - cpu) / seconds, static_cast<double>(told.pongs - pongs) / seconds};
}

using child = std::unique_ptr<forked<std::size_t>>;

// They were all there to the end.
void finish(std::vector<child>& clients, tally& told) {
  told.ended = true;
  std::size_t held = 0;
  for (auto& c : clients) held += c->result();
  ensure(held == wanted);
}

cost floor_cost(std::size_t pairs) {
  auto& told = shared_tally();
  ensure(pairs <= told.ports.size());
  std::vector<child> servers, clients;
  for (std::size_t i = 0; i < pairs; ++i) {
    auto& port = told.ports[i];
    servers.push_back(std::make_unique<forked<std::size_t>>([&, count = share(i, pairs)] {
      stay_on(core(0));
      return serve_floor(count, port, told);
    }));
    while (port == 0) std::this_thread::sleep_for(1ms);
    clients.push_back(std::make_unique<forked<std::size_t>>([&, count = share(i, pairs)] {
      stay_on(core(1));
      return keep(port, count, 10s, {}, told);
    }));
  }
  const auto found = watch(told, ping_interval, [&] {
    double sum = 0;
    for (const auto& s : servers) sum += cpu_seconds(s->process());
    return sum;
  });
  finish(clients, told);
  return found;
}

}  // namespace

void hold(const std::string& binary) {
  const auto most = raise_descriptor_limit() - 200;
  const auto pairs = (wanted + most - 1) / most;
  auto& told = shared_tally();
  {
    std::vector<std::unique_ptr<server>> servers;
    std::vector<child> clients;
    double resident = 0;
    for (std::size_t i = 0; i < pairs; ++i) {
      servers.push_back(
          std::make_unique<server>(ours(binary, 1, nullptr, {"--max-connections", "0"}), core(0)));
      resident -= servers.back()->resident_bytes();
      clients.push_back(std::make_unique<forked<std::size_t>>([&, i, port = servers[i]->port()] {
        stay_on(core(1));
        return keep(port, share(i, pairs), ping_interval, "idle", told);
      }));
    }
    const auto found = watch(told, 2 * ping_interval, [&] {
      double sum = 0;
      for (const auto& s : servers) sum += s->cpu_seconds();
      return sum;
    });
    for (const auto& s : servers) resident += s->resident_bytes();
    finish(clients, told);
    report("signaling_held_connections", wanted, "", wanted, "higher");
    report("signaling_held_on_servers", static_cast<double>(pairs), "", 0);
    report("signaling_held_pings", found.pongs, "1/s", 0);
    report("signaling_held_resident", resident / wanted, "B", 4096);
    report("signaling_keep_alive", 100 * found.share, "% of a core", 2);
    report("signaling_keep_alive_of_a_ping", 1e6 * found.share / found.pongs, "us", 0);
  }
  const auto least = floor_cost(pairs);
  report("signaling_keep_alive_floor_pings", least.pongs, "1/s", 0);
  report("signaling_keep_alive_floor", 100 * least.share, "% of a core", 0);
  report("signaling_keep_alive_floor_of_a_ping", 1e6 * least.share / least.pongs, "us", 0);
}

}  // namespace nat::bench
