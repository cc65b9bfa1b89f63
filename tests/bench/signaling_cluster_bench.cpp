// What a cluster costs: two signaling servers of one thread each, Debian's redis-server, and
// clients of the one that speak to clients of the other. Prints one JSON object per line. Status
// 77: no redis-server.
//   bench_signaling_cluster [--server FILE]

#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <chrono>

#include "tests/bench/signaling_load.hpp"

namespace {

using namespace nat::bench;
using nat::ensure;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

double since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

void report(const char* name, double value, const char* unit, double target) {
  std::printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":%g}\n", name, value, unit,
              target);
  std::fflush(stdout);
}

std::string offer(const std::string& target) {
  std::string text = "{\"type\":\"offer\",\"target\":\"" + target + "\",\"sdp\":\"";
  while (text.size() < 1022) text += "a=candidate\\r\\n";  // as an SDP, full of escapes
  text.resize(1021, 'x');
  if (text.ends_with('\\')) text.back() = 'x';
  return text + "\"}";
}

constexpr int pairs = 100, in_flight = 8;

struct rates {
  double wall, cpu;  // the best of five seconds; by the processor time of all servers
};

// From 100 clients of one server to 100 of the other, if there is another.
rates stream(const server& s, const server* other = nullptr) {
  const auto cpu_seconds = [&] {
    return s.cpu_seconds() + (other != nullptr ? other->cpu_seconds() : 0);
  };
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<client>> from, to;
  for (int i = 0; i < pairs; ++i) {
    const auto n = std::to_string(i);
    from.push_back(std::make_unique<client>(s.port(), "a" + n));
    to.push_back(std::make_unique<client>((other != nullptr ? *other : s).port(), "b" + n));
    from.back()->prepare(offer("b" + n), in_flight);
    epoll_event e{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(i)}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, to.back()->descriptor(), &e);
  }
  for (auto& c : from) c->send(in_flight);
  double best_wall = 0, best_cpu = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = clock_type::now();
    const auto cpu = cpu_seconds();
    std::size_t forwarded = 0;
    while (clock_type::now() - start < 1s) {
      std::array<epoll_event, 64> ready{};
      const int n = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), 1000);
      for (int i = 0; i < n; ++i) {
        const auto pair = ready[static_cast<std::size_t>(i)].data.u32;
        const auto got = to[pair]->receive();
        forwarded += got;
        if (got > 0) from[pair]->send(got);
      }
    }
    best_wall = std::max(best_wall, static_cast<double>(forwarded) / since(start));
    best_cpu = std::max(best_cpu, static_cast<double>(forwarded) / (cpu_seconds() - cpu));
  }
  ::close(poll);
  return {best_wall, best_cpu};
}

// Debian's redis-server on a port that was free a moment ago.
class redis {
 public:
  redis() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ensure(::bind(probe, reinterpret_cast<const sockaddr*>(&at), size) == 0);
    ensure(::getsockname(probe, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    ::close(probe);
    port_ = std::to_string(ntohs(at.sin_port));
    pid_ = ::fork();
    ensure(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
      ::execlp("redis-server", "redis-server", "--port", port_.c_str(), "--bind", "127.0.0.1",
               "--save", "", "--dir", "/tmp", nullptr);
      ::_exit(127);
    }
  }
  ~redis() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  redis(const redis&) = delete;
  redis& operator=(const redis&) = delete;
  [[nodiscard]] std::string url() const { return "redis://127.0.0.1:" + port_; }

 private:
  std::string port_;
  pid_t pid_ = -1;
};

// Half of a round trip of an offer and an answer.
double one_way_ms(client& al, client& bob) {
  std::vector<double> all;
  for (int i = 0; i < 3000; ++i) {
    const auto start = clock_type::now();
    al.send(1);
    while (bob.receive() == 0) {
    }
    bob.send(1);
    while (al.receive() == 0) {
    }
    all.push_back(since(start) * 500);
  }
  std::ranges::sort(all);
  return all[all.size() / 2];
}

void cluster(const std::string& binary) {
  const redis shared;
  const std::vector<std::string> words{binary,
                                       "--listen",
                                       "127.0.0.1:0",
                                       "--no-stun",
                                       "--admin",
                                       "none",
                                       "--threads",
                                       "1",
                                       "--messages-per-second",
                                       "0",
                                       "--max-connections-per-address",
                                       "0",
                                       "--cluster",
                                       shared.url()};
  const server first(words, "the cluster is there\n"), second(words, "the cluster is there\n");
  client al(first.port(), "al"), near(first.port(), "near"), far(second.port(), "far");
  near.prepare(offer("al"), 1);
  al.prepare(offer("near"), 1);
  const auto here = one_way_ms(al, near);
  client eve(first.port(), "eve");
  eve.prepare(offer("far"), 1);
  far.prepare(offer("eve"), 1);
  report("signaling_cluster_added_latency_p50", one_way_ms(eve, far) - here, "ms", 0.5);
  const auto rates = stream(first, &second);
  report("signaling_cluster_forwarded", rates.wall, "1/s", 40'000);
  report("signaling_cluster_forwarded_per_cpu_second_of_the_servers", rates.cpu, "1/s", 40'000);
}

}  // namespace

int main(int argc, char** argv) {
  const bool given = argc == 3 && std::string_view(argv[1]) == "--server";
  if (::system("command -v redis-server >/dev/null") != 0) {
    std::fprintf(stderr, "skipped: no redis-server here: apt-get install redis-server\n");
    return 77;
  }
  cluster(given ? argv[2] : NAT_SERVER_BINARY);
}
