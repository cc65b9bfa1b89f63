#include "tests/signaling/io/redis_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <utility>

#include "stun/io/sockaddr.hpp"
#include "tests/check.hpp"

namespace nat::test {

reserved_port::reserved_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto any = stun::io::to_socket_address({make_v4(0x7f000001), 0});
  REQUIRE(::bind(socket_.get(), &any.any, any.size) == 0);
  where_ = signaling::io::local_endpoint(socket_.get());
}

redis_process::redis_process(std::vector<std::string> more) : more_(std::move(more)) {
  char path[] = "/tmp/nat-test-redis-XXXXXX";
  REQUIRE(::mkdtemp(path) != nullptr);
  folder_ = path;
  start();
}

redis_process::redis_process(const test_certificate& certificate, std::vector<std::string> more)
    : redis_process([&] {
        for (const auto& word :
             {std::string("--tls-cert-file"), certificate.file(), std::string("--tls-key-file"),
              certificate.key_file(), std::string("--tls-ca-cert-file"), certificate.file()}) {
          more.push_back(word);
        }
        return std::move(more);
      }()) {}

redis_process::~redis_process() {
  kill();
  std::filesystem::remove_all(folder_);
}

void redis_process::start() {
  kill();
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  std::vector<std::string> words{"redis-server",
                                 "--bind",
                                 "127.0.0.1",
                                 "--save",
                                 "",
                                 "--dir",
                                 folder_,
                                 "--appendonly",
                                 "no",
                                 "--requirepass",
                                 redis_password,
                                 more_.empty() ? "--port" : "--tls-port",
                                 std::to_string(where().port)};
  if (!more_.empty()) words.insert(words.end(), {"--port", "0"});
  words.insert(words.end(), more_.begin(), more_.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  says_ = ends[0];
  read_until_ready();
}

void redis_process::read_until_ready() const {
  std::string said;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!said.contains("Ready to accept connections")) {
    pollfd wanted{.fd = says_, .events = POLLIN, .revents = 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    char buffer[4096];
    const bool more = left.count() > 0 && ::poll(&wanted, 1, static_cast<int>(left.count())) > 0;
    const auto n = more ? ::read(says_, buffer, sizeof buffer) : 0;
    if (n <= 0) FAIL("redis-server is not ready (scripts/deps test installs it): " << said);
    said.append(buffer, static_cast<std::size_t>(n));
  }
}

void redis_process::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::close(says_);
  pid_ = says_ = -1;
}

std::vector<std::string> redis_process::options() const {
  return {"--cluster", (more_.empty() ? "redis://" : "rediss://") + to_string(where()),
          "--cluster-password-file", password_file(redis_password)};
}

std::string redis_process::password_file(std::string_view password) const {
  auto path = folder_ + "/password";
  std::ofstream(path) << password << '\n';
  return path;
}

redis_client::redis_client(const redis_process& redis)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto to = stun::io::to_socket_address(redis.where());
  REQUIRE(::connect(socket_.get(), &to.any, to.size) == 0);
  REQUIRE(ask({"AUTH", redis_password}).text == "OK");
}

cluster::reply redis_client::ask(const std::vector<std::string>& words) {
  auto text = '*' + std::to_string(words.size()) + "\r\n";
  for (const auto& word : words) {
    text += '$' + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  REQUIRE(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
  return hear();
}

cluster::reply redis_client::hear() {
  while (heard_.empty()) {
    char buffer[65'536];
    const auto n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    REQUIRE_MESSAGE(n > 0, "Redis said nothing for 10 s");
    REQUIRE(reader_.feed({buffer, static_cast<std::size_t>(n)},
                         [&](const cluster::reply& r) { heard_.push_back(r); }));
  }
  auto first = std::move(heard_.front());
  heard_.pop_front();
  return first;
}

}  // namespace nat::test
