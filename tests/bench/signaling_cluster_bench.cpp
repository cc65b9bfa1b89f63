// What a cluster costs: two signaling servers of one thread each, Debian's redis-server, and
// clients of the one that speak to clients of the other. Prints one JSON object per line. Status
// 77: no redis-server.
//   bench_signaling_cluster [--server FILE]

#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <chrono>

#include "tests/bench/signaling_stream.hpp"

namespace {

using namespace nat::bench;
using nat::ensure;
using namespace std::chrono_literals;

void report(const char* name, double value, const char* unit, double target) {
  std::printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":%g}\n", name, value, unit,
              target);
  std::fflush(stdout);
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
                                       "--connections-per-second-per-address",
                                       "0",
                                       "--cluster",
                                       shared.url()};
  const auto* there = "the cluster is there\n";
  const server first(words, all_cores(), there), second(words, all_cores(), there);
  client al(first.port(), "al"), near(first.port(), "near"), far(second.port(), "far");
  near.prepare(offer("al"), 1);
  al.prepare(offer("near"), 1);
  const auto here = one_way_ms(al, near);
  client eve(first.port(), "eve");
  eve.prepare(offer("far"), 1);
  far.prepare(offer("eve"), 1);
  report("signaling_cluster_added_latency_p50", one_way_ms(eve, far) - here, "ms", 0.5);
  const auto found = forwarded(first, second);
  report("signaling_cluster_forwarded", found.by_wall, "1/s", 40'000);
  report("signaling_cluster_forwarded_per_cpu_second_of_the_servers", found.by_cpu, "1/s", 40'000);
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
