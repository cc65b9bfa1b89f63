// What the signaling server costs: a load generator (epoll, prepared frames) against the real
// program on loopback. Prints one JSON object per line: name, value, unit, target.
//   bench_signaling [throughput|latency|idle|connect|hold|others] [--tls] [--server FILE]
//                   [--threads N]
// Throughput is given twice: by the wall clock, and by the processor time that the server took,
// which is what one core of it could forward whatever else the machine is doing. Without a word
// about what, everything is shown, beside equal servers on Node's ws and Python's websockets
// (signaling_ws.js, signaling_websockets.py) where they are installed. With --tls, or without a
// word, idle and connect are shown over TLS too (P-256, TLS 1.3, no session resumed).

#include <sys/epoll.h>
#include <sys/resource.h>

#include <chrono>
#include <optional>
#include <thread>

#include "tests/bench/signaling_stream.hpp"
#include "tests/certificate.hpp"

namespace {

using namespace nat::bench;
using nat::ensure;
using namespace std::chrono_literals;

void report(const std::string& name, double value, const char* unit, double target,
            const char* better = nullptr) {
  std::printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":%g", name.c_str(), value,
              unit, target);
  if (better != nullptr) std::printf(",\"better\":\"%s\"", better);
  std::puts("}");
  std::fflush(stdout);
}

// Made once; nullptr: in the clear.
const nat::test::test_certificate* certificate = nullptr;

std::vector<std::string> ours(const std::string& binary, int threads,
                              const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{binary, "--listen", "127.0.0.1:0", "--no-stun", "--admin", "none"};
  for (const auto& word : {std::string("--threads"), std::to_string(threads)}) {
    words.push_back(word);
  }
  for (const auto* limit : {"--messages-per-second", "--max-connections-per-address"}) {
    words.emplace_back(limit);
    words.emplace_back("0");
  }
  if (certificate != nullptr) {
    for (const auto& word : {std::string("--tls-cert"), certificate->file(),
                             std::string("--tls-key"), certificate->key_file()}) {
      words.push_back(word);
    }
  }
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

struct round_trips {
  double p50 = 0, p99 = 0;  // microseconds
};

round_trips latency_of(const server& s) {
  client al(s.port(), "al"), bob(s.port(), "bob");
  al.prepare(offer("bob"), 1);
  bob.prepare(offer("al"), 1);
  std::vector<double> microseconds;
  for (int i = 0; i < 20'000; ++i) {
    const auto start = clock_type::now();
    al.send(1);
    while (bob.receive() == 0) {
    }
    bob.send(1);
    while (al.receive() == 0) {
    }
    microseconds.push_back(since(start) * 1e6);
  }
  std::ranges::sort(microseconds);
  const auto at = [&](double p) {
    return microseconds[static_cast<std::size_t>(p * static_cast<double>(microseconds.size() - 1))];
  };
  return {at(0.5), at(0.99)};
}

void report_rate(const std::string& suffix, const rate& r, double target) {
  report("signaling_forwarded" + suffix, r.by_wall, "1/s", target);
  report("signaling_forwarded_per_cpu_second" + suffix, r.by_cpu, "1/s", target);
}

void throughput(const std::string& binary, int threads) {
  const auto r = forwarded(server(ours(binary, threads)));
  report_rate(threads == 1 ? "" : "_" + std::to_string(threads) + "_threads", r, 80'000);
}

// What a second core adds, by processor time: on a machine of two, the clients need one.
void second_core(const std::string& binary) {
  const auto one = forwarded(server(ours(binary, 1))), two = forwarded(server(ours(binary, 2)));
  report_rate("_2_threads", two, 0);
  report("signaling_two_cores_to_one", 2 * two.by_cpu / one.by_cpu, "x", 1.8, "higher");
}

void latency(const std::string& binary, int threads) {
  const auto r = latency_of(server(ours(binary, threads)));
  report("signaling_round_trip_p50", r.p50, "us", 0);
  report("signaling_round_trip_p99", r.p99, "us", 0);
}

// The same, in the same run, by equal servers; ours must be ahead.
void others(const std::string& binary) {
  const std::string folder = NAT_BENCH_FOLDER;
  ::setenv("NODE_PATH", "/usr/share/nodejs", 0);  // where Debian has it
  std::optional<round_trips> node;
  rate best;
  for (const auto& [name, file] : {std::pair{"_node_ws", "/signaling_ws.js"},
                                   {"_python_websockets", "/signaling_websockets.py"}}) {
    const server s({folder + file});
    if (s.port() == 0) continue;  // it has said what is missing
    const auto r = forwarded(s);
    const auto trips = latency_of(s);
    report_rate(name, r, 0);
    report(std::string("signaling_round_trip_p50") + name, trips.p50, "us", 0);
    report(std::string("signaling_round_trip_p99") + name, trips.p99, "us", 0);
    if (!node) node = trips;
    best = {std::max(best.by_wall, r.by_wall), std::max(best.by_cpu, r.by_cpu)};
  }
  if (!node) return;
  report_rate("_beside_others", forwarded(server(ours(binary, 1))),
              std::max(80'000.0, best.by_cpu));
  const auto trips = latency_of(server(ours(binary, 1)));
  report("signaling_round_trip_p50_beside_others", trips.p50, "us", node->p50);
  report("signaling_round_trip_p99_beside_others", trips.p99, "us", node->p99 / 2);
}

void idle(const std::string& binary, int threads) {
  const bool tls = certificate != nullptr;
  constexpr int count = 5000;
  const server s(ours(binary, threads));
  std::vector<std::unique_ptr<client>> clients;
  // The first few make the server reach for what all of them share.
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<client>(s.port(), "first" + std::to_string(i), tls));
  }
  const auto before = s.resident_bytes();
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<client>(s.port(), "idle" + std::to_string(i), tls));
  }
  report(tls ? "signaling_idle_tls_connection" : "signaling_idle_connection",
         (s.resident_bytes() - before) / count, "B", tls ? 32'768 : 4096);
}

void connect(const std::string& binary, int threads) {
  constexpr int at_once = 4, each = 1500, count = at_once * each;
  const bool tls = certificate != nullptr;
  const server s(ours(binary, threads));
  const auto start = clock_type::now();
  const auto cpu = s.cpu_seconds();
  std::vector<std::thread> visitors;
  for (int v = 0; v < at_once; ++v) {
    visitors.emplace_back([&s, v, tls] {
      for (int i = 0; i < each; ++i) {
        const client c(s.port(), "c" + std::to_string(v) + '.' + std::to_string(i), tls);
      }
    });
  }
  for (auto& v : visitors) v.join();
  const std::string what = tls ? "tls_connections" : "connections";
  const double target = tls ? 2'000 : 15'000;
  report("signaling_new_" + what, count / since(start), "1/s", target);
  report("signaling_new_" + what + "_per_cpu_second", count / (s.cpu_seconds() - cpu), "1/s",
         target);
}

// The most that a process may have open, raised as far as it goes.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

// 100,000 idle clients, from as many addresses of 127/8 as give them ports. Where a process may not
// have so many descriptors: as many as it may, pinged so much more often that the keep-alive costs
// what it would with all of them.
void hold(const std::string& binary, int threads) {
  constexpr std::size_t wanted = 100'000, per_address = 10'000;
  const auto count = std::min(wanted, raise_descriptor_limit() - 200);
  const auto idle_timeout = 60.0 * static_cast<double>(count) / wanted;
  const server s(ours(binary, threads,
                      {"--max-connections", "0", "--idle-timeout", std::to_string(idle_timeout)}));
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<client>> clients;
  const auto answer = [&](int patience) {
    std::array<epoll_event, 256> ready{};
    const int n = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), patience);
    std::size_t pings = 0;
    for (int i = 0; i < n; ++i) {
      pings += clients[ready[static_cast<std::size_t>(i)].data.u32]->answer_ping() ? 1 : 0;
    }
    return pings;
  };
  while (clients.size() < count) {
    const auto i = static_cast<std::uint32_t>(clients.size());
    clients.push_back(std::make_unique<client>(s.port(), "idle" + std::to_string(i), false,
                                               INADDR_LOOPBACK + i / per_address));
    epoll_event e{.events = EPOLLIN, .data = {.u32 = i}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, clients.back()->descriptor(), &e);
    if (i % 64 == 0) answer(0);
  }
  const auto start = clock_type::now();
  const auto cpu = s.cpu_seconds();
  std::size_t pings = 0;
  while (clock_type::now() - start < 15s) pings += answer(100);
  const auto seconds = since(start);
  report("signaling_held_connections", static_cast<double>(count), "", 0);
  report("signaling_held_pings", static_cast<double>(pings) / seconds, "1/s", 0);
  report("signaling_keep_alive_of_100000", 100 * (s.cpu_seconds() - cpu) / seconds, "% of a core",
         2);
  ::close(poll);
}

}  // namespace

int main(int argc, char** argv) {
  std::string binary = NAT_SERVER_BINARY, only;
  int threads = 1;
  bool tls = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (word == "--server" && i + 1 < argc) {
      binary = argv[++i];
    } else if (word == "--threads" && i + 1 < argc) {
      threads = std::atoi(argv[++i]);
    } else if (word == "--tls") {
      tls = true;
    } else {
      only = word;
    }
  }
  raise_descriptor_limit();
  const auto wanted = [&](std::string_view name) { return only.empty() || only == name; };
  if (!tls) {
    if (wanted("throughput")) throughput(binary, threads);
    if (wanted("throughput")) second_core(binary);
    if (wanted("latency")) latency(binary, threads);
    if (wanted("others")) others(binary);
    if (wanted("idle")) idle(binary, threads);
    if (wanted("connect")) connect(binary, threads);
    if (wanted("hold")) hold(binary, threads);
    if (!only.empty()) return 0;
  }
  const nat::test::test_certificate made;
  certificate = &made;
  if (wanted("idle")) idle(binary, threads);
  if (wanted("connect")) connect(binary, threads);
  return 0;
}
