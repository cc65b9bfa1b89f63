// What the signaling server costs: a load generator (epoll, prepared frames) against the real
// program on loopback. Prints one JSON object per line: name, value, unit, target.
//   bench_signaling [throughput|latency|idle|connect] [--tls] [--server FILE] [--threads N]
// Throughput is given twice: by the wall clock, and by the processor time that the server took,
// which is what one core of it could forward whatever else the machine is doing. With --tls, or
// without a word about what, idle and connect are shown over TLS too (P-256, TLS 1.3, no session
// resumed).

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "protocol/base/ensure.hpp"
#include "tests/certificate.hpp"

namespace {

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

// Made once; nullptr: in the clear.
const nat::test::test_certificate* certificate = nullptr;

SSL_CTX* client_context() {
  static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  return context;
}

// The program under load.
class server {
 public:
  server(const std::string& binary, int threads) {
    std::vector<std::string> words{binary,
                                   "--listen",
                                   "127.0.0.1:0",
                                   "--no-stun",
                                   "--admin",
                                   "none",
                                   "--threads",
                                   std::to_string(threads),
                                   "--messages-per-second",
                                   "0",
                                   "--max-connections-per-address",
                                   "0"};
    if (certificate != nullptr) {
      for (const auto& word : {std::string("--tls-cert"), certificate->file(),
                               std::string("--tls-key"), certificate->key_file()}) {
        words.push_back(word);
      }
    }
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int ends[2];
    ensure(::pipe2(ends, O_CLOEXEC) == 0);
    pid_ = ::fork();
    ensure(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], STDERR_FILENO);
      ::execv(binary.c_str(), argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    const std::unique_ptr<FILE, int (*)(FILE*)> errors(::fdopen(ends[0], "r"), ::fclose);
    std::array<char, 512> line{};
    while (std::fgets(line.data(), line.size(), errors.get())) {
      const std::string_view text(line.data());
      const auto at = text.find("://127.0.0.1:");
      if (at != text.npos) port_ = static_cast<std::uint16_t>(std::atoi(line.data() + at + 13));
      if (text.ends_with(" ready\n")) return;
      if (at == text.npos) std::fputs(line.data(), stderr);
    }
    std::fprintf(stderr, "bench_signaling: failed to start %s\n", binary.c_str());
    std::exit(1);
  }
  ~server() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Of all threads, by the scheduler's own count: utime and stime are samples at ticks.
  [[nodiscard]] double cpu_seconds() const {
    double sum = 0;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
      double nanoseconds = 0;
      std::ifstream(task.path() / "schedstat") >> nanoseconds;
      sum += nanoseconds;
    }
    ensure(sum > 0);
    return sum * 1e-9;
  }
  [[nodiscard]] double resident_bytes() const {
    std::ifstream in("/proc/" + std::to_string(pid_) + "/statm");
    double total = 0, resident = 0;
    in >> total >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
  }

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

std::string masked_frame(std::string_view text) {
  std::string out{'\x81'};
  if (text.size() < 126) {
    out += static_cast<char>(0x80 | text.size());
  } else {
    out += '\xfe';
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size() & 0xff);
  }
  static constexpr std::array<char, 4> key{0x12, 0x34, 0x56, 0x78};
  out.append(key.data(), key.size());
  for (std::size_t i = 0; i < text.size(); ++i) out += static_cast<char>(text[i] ^ key[i % 4]);
  return out;
}

void send_all(int s, std::string_view octets) {
  while (!octets.empty()) {
    const auto n = ::send(s, octets.data(), octets.size(), MSG_NOSIGNAL);
    ensure(n > 0);
    octets.remove_prefix(static_cast<std::size_t>(n));
  }
}

// A registered client. Counts the whole frames in what it receives.
class client {
 public:
  client(std::uint16_t port, const std::string& name) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ensure(socket_ >= 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ensure(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (certificate != nullptr) {
      tls_.reset(SSL_new(client_context()));
      SSL_set_fd(tls_.get(), socket_);
      ensure(SSL_connect(tls_.get()) == 1);
    }
    say("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" +
        masked_frame("{\"type\":\"register\",\"peer_id\":\"" + name + "\"}"));
    std::string in;
    while (!in.ends_with('}')) {
      std::array<char, 4096> buffer{};
      const auto n = tls_ ? SSL_read(tls_.get(), buffer.data(), buffer.size())
                          : ::recv(socket_, buffer.data(), buffer.size(), 0);
      ensure(n > 0);
      in.append(buffer.data(), static_cast<std::size_t>(n));
    }
    ensure(in.find("\"registered\"") != in.npos);
  }
  ~client() {
    if (socket_ >= 0) ::close(socket_);
  }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  [[nodiscard]] int descriptor() const { return socket_; }
  void prepare(std::string_view text, int copies) {
    one_ = masked_frame(text);
    for (int i = 0; i < copies; ++i) many_ += one_;
  }
  void send(std::size_t frames) {
    send_all(socket_, std::string_view(many_).substr(0, frames * one_.size()));
  }
  // Blocks for at least one octet; how many frames it completed.
  std::size_t receive() {
    static std::array<char, 1U << 18> buffer;
    const auto n = ::recv(socket_, buffer.data(), buffer.size(), 0);
    ensure(n > 0);
    std::size_t frames = 0;
    for (std::size_t at = 0, size = static_cast<std::size_t>(n); at < size;) {
      if (payload_left_ > 0) {
        const auto step = std::min(payload_left_, size - at);
        payload_left_ -= step;
        at += step;
        if (payload_left_ == 0) ++frames;
        continue;
      }
      header_[header_size_++] = static_cast<unsigned char>(buffer[at++]);
      if (header_size_ < 2 || (header_[1] == 126 && header_size_ < 4)) continue;
      ensure(header_[0] == 0x81 && header_[1] < 127);
      payload_left_ = header_[1] == 126 ? header_[2] * 256U + header_[3] : header_[1];
      header_size_ = 0;
    }
    return frames;
  }

 private:
  void say(const std::string& octets) {
    if (!tls_) return send_all(socket_, octets);
    ensure(SSL_write(tls_.get(), octets.data(), static_cast<int>(octets.size())) > 0);
  }
  int socket_ = -1;
  std::unique_ptr<SSL, nat::freed_by<SSL_free>> tls_{};
  std::string one_, many_;
  std::array<unsigned char, 4> header_{};
  std::size_t header_size_ = 0, payload_left_ = 0;
};

std::string offer(const std::string& target) {
  std::string text = "{\"type\":\"offer\",\"target\":\"" + target + "\",\"sdp\":\"";
  while (text.size() < 1022) text += "a=candidate\\r\\n";  // as an SDP, full of escapes
  text.resize(1021, 'x');
  if (text.ends_with('\\')) text.back() = 'x';
  return text + "\"}";
}

constexpr int pairs = 100, in_flight = 8;

void throughput(const std::string& binary, int threads) {
  server s(binary, threads);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<client>> from, to;
  for (int i = 0; i < pairs; ++i) {
    const auto n = std::to_string(i);
    from.push_back(std::make_unique<client>(s.port(), "a" + n));
    to.push_back(std::make_unique<client>(s.port(), "b" + n));
    from.back()->prepare(offer("b" + n), in_flight);
    epoll_event e{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(i)}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, to.back()->descriptor(), &e);
  }
  for (auto& c : from) c->send(in_flight);
  double best_wall = 0, best_cpu = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = clock_type::now();
    const auto cpu = s.cpu_seconds();
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
    best_cpu = std::max(best_cpu, static_cast<double>(forwarded) / (s.cpu_seconds() - cpu));
  }
  ::close(poll);
  const auto suffix = threads == 1 ? std::string() : "_" + std::to_string(threads) + "_threads";
  report(("signaling_forwarded" + suffix).c_str(), best_wall, "1/s", 45'000);
  report(("signaling_forwarded_per_cpu_second" + suffix).c_str(), best_cpu, "1/s", 45'000);
}

void latency(const std::string& binary, int threads) {
  server s(binary, threads);
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
  report("signaling_round_trip_p50", at(0.5), "us", 0);
  report("signaling_round_trip_p99", at(0.99), "us", 0);
}

void idle(const std::string& binary, int threads) {
  const bool tls = certificate != nullptr;
  constexpr int count = 5000;
  server s(binary, threads);
  std::vector<std::unique_ptr<client>> clients;
  // The first few make the server reach for what all of them share.
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<client>(s.port(), "first" + std::to_string(i)));
  }
  const auto before = s.resident_bytes();
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<client>(s.port(), "idle" + std::to_string(i)));
  }
  report(tls ? "signaling_idle_tls_connection" : "signaling_idle_connection",
         (s.resident_bytes() - before) / count, "B", tls ? 32'768 : 4096);
}

void connect(const std::string& binary, int threads) {
  constexpr int at_once = 4, each = 1500, count = at_once * each;
  server s(binary, threads);
  const auto start = clock_type::now();
  const auto cpu = s.cpu_seconds();
  std::vector<std::thread> visitors;
  for (int v = 0; v < at_once; ++v) {
    visitors.emplace_back([&s, v] {
      for (int i = 0; i < each; ++i) {
        const client c(s.port(), "c" + std::to_string(v) + '.' + std::to_string(i));
      }
    });
  }
  for (auto& v : visitors) v.join();
  const std::string what = certificate != nullptr ? "tls_connections" : "connections";
  const double target = certificate != nullptr ? 2'000 : 15'000;
  report(("signaling_new_" + what).c_str(), count / since(start), "1/s", target);
  report(("signaling_new_" + what + "_per_cpu_second").c_str(), count / (s.cpu_seconds() - cpu),
         "1/s", target);
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
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
    if (wanted("latency")) latency(binary, threads);
    if (wanted("idle")) idle(binary, threads);
    if (wanted("connect")) connect(binary, threads);
    if (!only.empty()) return 0;
  }
  const nat::test::test_certificate made;
  certificate = &made;
  if (wanted("idle")) idle(binary, threads);
  if (wanted("connect")) connect(binary, threads);
  return 0;
}
