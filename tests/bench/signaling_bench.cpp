// What the signaling server costs: a load generator (epoll, prepared frames) against the real
// program on loopback. Prints one JSON object per line: name, value, unit, target.
//   bench_signaling [throughput|cores|latency|idle|connect|hold|others] [--tls] [--server FILE]
//                   [--threads N]
// Throughput is given twice: by the wall clock, and by the processor time that the server took,
// which is what one core of it could forward whatever else the machine is doing. Without a word
// about what, everything is shown, beside equal servers on Node's ws and Python's websockets
// (signaling_ws.js, signaling_websockets.py) where they are installed. With --tls, or without a
// word, idle and connect are shown over TLS too (P-256, TLS 1.3, whole handshakes; connect also
// resumed sessions). New connections come from one core, the server has another; cores is the
// second core's worth; hold takes two minutes and a half, 2 GB and 200,000 sockets.

#include <malloc.h>

#include <chrono>
#include <optional>

#include "tests/bench/forked.hpp"
#include "tests/bench/processor_share.hpp"
#include "tests/bench/signaling_bench.hpp"
#include "tests/bench/signaling_stream.hpp"

namespace {

using namespace nat::bench;
using nat::ensure;
using namespace std::chrono_literals;

struct round_trips {
  double p50 = 0, p99 = 0;  // microseconds
};

// Of a pair of clients on the server's own core. On two, each way takes a wake-up of an idle core:
// in a virtual machine that is most of the time, the same for every server, and changes from day to
// day.
round_trips latency_of(std::vector<std::string> words) {
  const pinned here(core(0));
  const server s(std::move(words), core(0));
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

// Offers a second through a server of so many threads, on as many cores, each of them with clients
// on it too.
double shared_cores(const std::string& binary, std::size_t count) {
  std::vector<int> cores;
  for (std::size_t i = 0; i < count; ++i) cores.push_back(core(i)[0]);
  const server s(ours(binary, static_cast<int>(count)), cores);
  const auto start = clock_type::now() + 2s;
  std::vector<std::unique_ptr<forked<std::size_t>>> loads;
  for (std::size_t i = 0; i < count; ++i) {
    loads.push_back(std::make_unique<forked<std::size_t>>([&, i] {
      stay_on(core(i));
      stream offers(s, s, std::to_string(i) + '.');
      (void)offers.run(start);
      return offers.run(start + 5s);
    }));
  }
  std::size_t sum = 0;
  for (auto& load : loads) sum += load->result();
  return static_cast<double>(sum) / 5;
}

// Offers a second by a server that has 40 % of so many cores: what the load takes is the rest.
std::optional<double> at_forty_percent(const std::string& binary, int count) {
  const processor_share share(0.4 * count);
  const server s(ours(binary, count));
  if (!share.limit(s.process())) return std::nullopt;
  return forwarded(s).by_wall;
}

// What a second core adds: by the clock, where the load does not contend with the server for it; by
// processor time; and by the clock with the load on the same cores that the server has, one of them
// and then two, each with a load of its own.
void second_core(const std::string& binary) {
  const auto one = forwarded(server(ours(binary, 1))), two = forwarded(server(ours(binary, 2)));
  report_rate("_2_threads", two, 0);
  const auto part = at_forty_percent(binary, 1), whole = at_forty_percent(binary, 2);
  if (part && whole) {
    report("signaling_forwarded_at_40_percent_of_1_core", *part, "1/s", 0);
    report("signaling_forwarded_at_40_percent_of_2_cores", *whole, "1/s", 0);
    report("signaling_two_cores_to_one_at_40_percent", *whole / *part, "x", 1.8, "higher");
  } else {
    std::fputs("bench_signaling: no control group can be made: as root, with the cpu controller\n",
               stderr);
  }
  report("signaling_two_cores_to_one", 2 * two.by_cpu / one.by_cpu, "x", 1.8, "higher");
  const double small = shared_cores(binary, 1), large = shared_cores(binary, 2);
  report("signaling_forwarded_with_the_load_on_1_core", small, "1/s", 0);
  report("signaling_forwarded_with_the_load_on_2_cores", large, "1/s", 0);
  report("signaling_two_cores_to_one_by_the_clock", large / small, "x", 1.8, "higher");
}

void latency(const std::string& binary, int threads) {
  const auto r = latency_of(ours(binary, threads));
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
    const std::vector words{folder + file};
    const server s(words);
    if (s.port() == 0) continue;  // it has said what is missing
    const auto r = forwarded(s);
    const auto trips = latency_of(words);
    report_rate(name, r, 0);
    report(std::string("signaling_round_trip_p50") + name, trips.p50, "us", 0);
    report(std::string("signaling_round_trip_p99") + name, trips.p99, "us", 0);
    if (!node) node = trips;
    best = {std::max(best.by_wall, r.by_wall), std::max(best.by_cpu, r.by_cpu)};
  }
  if (!node) return;
  report_rate("_beside_others", forwarded(server(ours(binary, 1))),
              std::max(80'000.0, best.by_cpu));
  const auto trips = latency_of(ours(binary, 1));
  report("signaling_round_trip_p50_beside_others", trips.p50, "us", node->p50);
  report("signaling_round_trip_p99_beside_others", trips.p99, "us", node->p99 / 2);
}

void idle(const std::string& binary, int threads, const nat::test::test_certificate* certificate) {
  const bool tls = certificate != nullptr;
  constexpr int count = 5000;
  const server s(ours(binary, threads, certificate));
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
  // What a client gave back is not given to the system, to be asked for again by the next one.
  ::mallopt(M_TRIM_THRESHOLD, 1 << 28);
  raise_descriptor_limit();
  (void)all_cores();
  const auto wanted = [&](std::string_view name) { return only.empty() || only == name; };
  if (!tls) {
    if (wanted("throughput")) throughput(binary, threads);
    if (wanted("throughput") || wanted("cores")) second_core(binary);
    if (wanted("latency")) latency(binary, threads);
    if (wanted("others")) others(binary);
    if (wanted("idle")) idle(binary, threads, nullptr);
    if (wanted("connect")) connect(binary, threads, nullptr);
    if (wanted("hold")) hold(binary);
    if (!only.empty()) return 0;
  }
  const nat::test::test_certificate certificate;
  if (wanted("idle")) idle(binary, threads, &certificate);
  if (wanted("connect")) connect(binary, threads, &certificate);
  return 0;
}
