// The ICE agent: what a check costs, what an agent weighs, and how long two take on loopback
// sockets. Prints one JSON object per line: name, value, unit, target.

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "ice/agent.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/crypto/system_random.hpp"

namespace {

std::size_t live_bytes = 0;
std::size_t allocations = 0;

}  // namespace

// What malloc really gave, so that rounding counts.
void* operator new(std::size_t size) {
  void* p = std::malloc(size);
  if (p == nullptr) throw std::bad_alloc();
  live_bytes += malloc_usable_size(p) + sizeof(void*);
  ++allocations;
  return p;
}
void operator delete(void* p) noexcept {
  if (p != nullptr) live_bytes -= malloc_usable_size(p) + sizeof(void*);
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  operator delete(p);
}

namespace {

using namespace nat;
using namespace nat::ice;
using namespace std::chrono_literals;
using wall = std::chrono::steady_clock;

crypto::system_random entropy;

void report(const char* name, double value, const char* unit, double target) {
  std::printf(R"({"name":"%s","value":%.3f,"unit":"%s","target":%g})"
              "\n",
              name, value, unit, target);
}

agent_config config_for(role r) {
  agent_config c;
  c.initial_role = r;
  c.local = {random_text(entropy, 8), random_text(entropy, 24)};
  return c;
}

candidate host(const endpoint& where) {
  candidate c;
  c.address = c.base = where;
  c.priority = candidate_priority(candidate_kind::host, 65535);
  c.foundation.assign(1, '1');
  return c;
}

struct end {
  endpoint where;
  std::unique_ptr<agent> it;
};

// Everything that either wants to send goes to the other at once.
std::size_t exchange(end& a, end& b, time_point now) {
  std::size_t moved = 0;
  for (bool more = true; more;) {
    more = false;
    for (auto [from, to] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      while (const auto t = from->it->poll_transmit()) {
        to->it->handle_datagram({transport::udp, to->where, from->where}, t->data, now);
        ++moved;
        more = true;
      }
    }
  }
  return moved;
}

std::pair<end, end> introduced(time_point now) {
  end a{*parse_endpoint("192.0.2.1:1000"), nullptr};
  end b{*parse_endpoint("192.0.2.2:2000"), nullptr};
  a.it = std::make_unique<agent>(config_for(role::controlling), entropy, now);
  b.it = std::make_unique<agent>(config_for(role::controlled), entropy, now);
  for (auto [us, them] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    us->it->add_local(host(us->where), now);
    us->it->set_remote(them->it->local_credentials(), now);
    us->it->add_remote(host(them->where), now);
  }
  return {std::move(a), std::move(b)};
}

// A check is made and signed, verified and answered, and the answer verified, all in one thread.
void round_trip() {
  time_point now{1h};
  auto [a, b] = introduced(now);
  exchange(a, b, now);
  ensure(a.it->selected() && b.it->selected());

  double best = 1e9;
  std::size_t allocated = 0;
  for (int batch = 0; batch < 60; ++batch) {
    constexpr int checks = 500;
    const auto allocated_before = allocations;
    const auto start = wall::now();
    int done = 0;
    while (done < checks) {
      now = *earlier(a.it->next_timeout(), b.it->next_timeout());
      a.it->handle_timeout(now);
      b.it->handle_timeout(now);
      done += static_cast<int>(exchange(a, b, now)) / 2;
    }
    const std::chrono::duration<double, std::micro> took = wall::now() - start;
    best = std::min(best, took.count() / done);
    allocated = (allocations - allocated_before) / static_cast<std::size_t>(done);
  }
  report("ice.check_round_trip", best, "us", 5);
  report("ice.check_round_trip_allocations", static_cast<double>(allocated), "", 0);
}

void memory() {
  const time_point now{1h};
  constexpr std::size_t count = 100;
  std::vector<std::unique_ptr<agent>> many;
  many.reserve(count);
  auto before = live_bytes;
  for (std::size_t n = 0; n < count; ++n) {
    many.push_back(std::make_unique<agent>(config_for(role::controlled), entropy, now));
    many.back()->add_local(host(*parse_endpoint("192.0.2.1:1000")), now);
  }
  const auto idle = (live_bytes - before) / count;
  many.clear();

  std::vector<std::pair<end, end>> pairs;
  pairs.reserve(count);
  before = live_bytes;
  for (std::size_t n = 0; n < count; ++n) {
    pairs.push_back(introduced(now));
    exchange(pairs.back().first, pairs.back().second, now);
    for (auto* e : {&pairs.back().first, &pairs.back().second}) {
      while (e->it->poll_event()) {
      }
    }
  }
  const auto connected = (live_bytes - before) / (2 * count);
  report("ice.idle_agent", static_cast<double>(idle), "bytes", 16384);
  report("ice.connected_agent", static_cast<double>(connected), "bytes", 0);
}

// ---- two agents on loopback sockets ----

class loopback_socket {
 public:
  loopback_socket() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    ensure(fd_ >= 0 && ::bind(fd_, reinterpret_cast<sockaddr*>(&any), size) == 0 &&
           ::getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &size) == 0);
    local = {make_v4(INADDR_LOOPBACK), ntohs(any.sin_port)};
  }
  loopback_socket(const loopback_socket&) = delete;
  loopback_socket& operator=(const loopback_socket&) = delete;
  ~loopback_socket() { ::close(fd_); }

  void send(const endpoint& to, byte_view data) const {
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    there.sin_port = htons(to.port);
    (void)::sendto(fd_, data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&there),
                   sizeof there);
  }
  std::optional<std::pair<endpoint, byte_view>> receive() {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const auto n =
        ::recvfrom(fd_, room_.data(), room_.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0) return std::nullopt;
    return std::pair(endpoint{make_v4(INADDR_LOOPBACK), ntohs(from.sin_port)},
                     byte_view(room_).first(static_cast<std::size_t>(n)));
  }
  [[nodiscard]] int fd() const { return fd_; }
  endpoint local;

 private:
  int fd_;
  std::array<std::byte, 1500> room_{};
};

bool pump(agent& a, loopback_socket& s) {
  while (const auto in = s.receive()) {
    a.handle_datagram({transport::udp, s.local, in->first}, in->second, wall::now());
  }
  if (const auto due = a.next_timeout(); due && *due <= wall::now()) a.handle_timeout(wall::now());
  while (const auto t = a.poll_transmit()) s.send(t->via.remote, t->data);
  return a.selected().has_value();
}

double loopback_once() {
  loopback_socket sa;
  loopback_socket sb;
  const auto start = wall::now();
  agent a(config_for(role::controlling), entropy, start);
  agent b(config_for(role::controlled), entropy, start);
  a.add_local(host(sa.local), start);
  b.add_local(host(sb.local), start);
  a.set_remote(b.local_credentials(), start);
  b.set_remote(a.local_credentials(), start);
  a.add_remote(host(sb.local), start);
  b.add_remote(host(sa.local), start);
  const auto end = start + 5s;
  for (;;) {
    const bool a_done = pump(a, sa);
    const bool b_done = pump(b, sb);
    if ((a_done && b_done) || wall::now() > end) break;
    std::array<pollfd, 2> ready{pollfd{sa.fd(), POLLIN, 0}, pollfd{sb.fd(), POLLIN, 0}};
    ::poll(ready.data(), ready.size(), 1);
  }
  return std::chrono::duration<double, std::milli>(wall::now() - start).count();
}

void loopback() {
  std::vector<double> took;
  for (int n = 0; n < 200; ++n) took.push_back(loopback_once());
  std::ranges::sort(took);
  report("ice.loopback_connect_min", took.front(), "ms", 0.4);
  report("ice.loopback_connect_median", took[took.size() / 2], "ms", 0.4);
}

}  // namespace

int main() {
  round_trip();
  memory();
  loopback();
}
