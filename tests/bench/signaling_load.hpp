#pragma once

// What bench_signaling loads a server with: the server as a child process, and clients with frames
// prepared beforehand.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/ensure.hpp"
#include "protocol/base/freed_by.hpp"

namespace nat::bench {

inline SSL_CTX* client_context() {
  static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  return context;
}

// The cores that this program may use; asked for first before stay_on() narrows them.
inline const std::vector<int>& all_cores() {
  static const std::vector<int> cores = [] {
    cpu_set_t allowed;
    ensure(::sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    std::vector<int> out;
    out.reserve(static_cast<std::size_t>(CPU_COUNT(&allowed)));
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &allowed)) out.push_back(i);
    }
    return out;
  }();
  return cores;
}

// One of them: where there are fewer, what should stand apart shares one.
inline std::vector<int> core(std::size_t which) {
  return {all_cores()[which % all_cores().size()]};
}

inline void stay_on(const std::vector<int>& cores) {
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  for (const int i : cores) CPU_SET(i, &wanted);
  ensure(::sched_setaffinity(0, sizeof wanted, &wanted) == 0);
}

// The calling thread, and what it starts meanwhile, on these cores.
class pinned {
 public:
  explicit pinned(const std::vector<int>& cores) {
    all_cores();
    stay_on(cores);
  }
  ~pinned() { stay_on(all_cores()); }
  pinned(const pinned&) = delete;
  pinned& operator=(const pinned&) = delete;
};

// Of all threads of a process, by the scheduler's own count: utime and stime are samples at ticks.
inline double cpu_seconds(pid_t process) {
  double sum = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    double nanoseconds = 0;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    sum += nanoseconds;
  }
  ensure(sum > 0);
  return sum * 1e-9;
}

// The program under load.
class server {
 public:
  // Starts it on these cores, and returns once it has said where it listens, and a line that ends
  // with `last`.
  explicit server(std::vector<std::string> words, const std::vector<int>& cores = all_cores(),
                  std::string_view last = "ready\n") {
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int ends[2];
    ensure(::pipe2(ends, O_CLOEXEC) == 0);
    pid_ = ::fork();
    ensure(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      stay_on(cores);
      ::dup2(ends[1], STDERR_FILENO);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    const std::unique_ptr<FILE, int (*)(FILE*)> errors(::fdopen(ends[0], "r"), ::fclose);
    std::array<char, 512> line{};
    while (std::fgets(line.data(), line.size(), errors.get())) {
      const std::string_view text(line.data());
      const auto at = text.find("://127.0.0.1:");
      if (at != text.npos) port_ = static_cast<std::uint16_t>(std::atoi(line.data() + at + 13));
      if (text.ends_with(last)) return;
      if (at == text.npos) std::fputs(line.data(), stderr);
    }
    port_ = 0;
    std::fprintf(stderr, "bench_signaling: failed to start %s\n", words[0].c_str());
  }
  ~server() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  // 0: it did not start.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t process() const { return pid_; }
  [[nodiscard]] double cpu_seconds() const { return bench::cpu_seconds(pid_); }
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

inline std::string masked_frame(std::string_view text) {
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

inline void send_all(int s, std::string_view octets) {
  while (!octets.empty()) {
    const auto n = ::send(s, octets.data(), octets.size(), MSG_NOSIGNAL);
    ensure(n > 0);
    octets.remove_prefix(static_cast<std::size_t>(n));
  }
}

// A registered client, or without a name a mere connection. Counts the whole frames in what it
// receives.
class client {
 public:
  client(std::uint16_t port, const std::string& name, bool tls = false,
         std::uint32_t source = INADDR_LOOPBACK) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ensure(socket_ >= 0);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(source);
    ensure(::bind(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ensure(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls) {
      tls_.reset(SSL_new(client_context()));
      SSL_set_fd(tls_.get(), socket_);
      ensure(SSL_connect(tls_.get()) == 1);
    }
    if (name.empty()) return;
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
  // Answers the ping that waits; false: there was none.
  bool answer_ping() {
    std::array<char, 2> ping{};
    const auto n = ::recv(socket_, ping.data(), ping.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return false;
    ensure(n == 2 && ping[0] == '\x89' && ping[1] == 0);
    send_all(socket_, std::string_view("\x8a\x80\x12\x34\x56\x78", 6));
    return true;
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

}  // namespace nat::bench
