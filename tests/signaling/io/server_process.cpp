#include "tests/signaling/io/server_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/check.hpp"

namespace nat::test {

namespace {

struct child {
  pid_t pid;
  int errors;  // the reading end of its standard error
};

child start(const std::vector<std::string>& arguments) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  ::fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);  // what nobody reads yet must not hold the server up
  std::vector<char*> argv{const_cast<char*>(NAT_SERVER_BINARY)};
  for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_DFL);  // as a shell would start it
    ::dup2(ends[1], STDERR_FILENO);
    // What the address sanitizer keeps of freed memory is not the server's hunger.
    const char* given = ::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", (std::string(given ? given : "") + ":quarantine_size_mb=1").c_str(),
             1);
    // A report is the end, whichever sanitizer it comes from.
    ::setenv("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1", 0);
    ::setenv("TSAN_OPTIONS", "halt_on_error=1", 0);
    ::execv(NAT_SERVER_BINARY, argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

using clock_type = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{60};

// Whether there is something to read, or the end, before the deadline.
bool readable_until(int descriptor, clock_type::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_type::now()).count();
  pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) == 1;
}

// Up to and with `end`, or to the end of the stream, or as much of it as came in time.
std::string read_until(int descriptor, std::string_view end) {
  const auto deadline = clock_type::now() + patience;
  std::string text;
  char c = 0;
  while (!text.ends_with(end) && readable_until(descriptor, deadline) &&
         ::read(descriptor, &c, 1) == 1) {
    text += c;
  }
  return text;
}

std::string read_to_end(int descriptor) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(descriptor, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

int exit_status(pid_t pid) {
  const int process =
      static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));  // glibc 2.36 declares it for C alone
  REQUIRE(process >= 0);
  const bool ended = readable_until(process, clock_type::now() + patience);
  ::close(process);
  REQUIRE_MESSAGE(ended, "the server has not ended in " << patience.count() << " s");
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

endpoint first_endpoint(const std::string& json, const std::string& key) {
  auto at = json.find('"' + key + '"');
  REQUIRE(at != json.npos);
  at = json.find('"', at + key.size() + 2) + 1;
  auto text = json.substr(at, json.find('"', at) - at);
  if (const auto scheme = text.find("://"); scheme != text.npos) text.erase(0, scheme + 3);
  const auto parsed = parse_endpoint(text);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return *parsed;
}

}  // namespace

finished run_server(const std::vector<std::string>& arguments) {
  const auto c = start(arguments);
  finished out;
  out.errors = read_to_end(c.errors);
  ::close(c.errors);
  out.status = exit_status(c.pid);
  return out;
}

server_process::server_process(std::vector<std::string> arguments) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("signaling_test_ready." + std::to_string(::getpid()));
  const bool with_stun = std::ranges::find(arguments, "--no-stun") == arguments.end();
  for (const char* a :
       {"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", file.c_str()}) {
    arguments.emplace_back(a);
  }
  if (with_stun) arguments.insert(arguments.end(), {"--stun", "127.0.0.1:0"});
  const auto c = start(arguments);
  pid_ = c.pid;
  errors_ = c.errors;
  const auto said = read_until(errors_, " ready\n");
  REQUIRE_MESSAGE(said.ends_with(" ready\n"), said);
  std::stringstream content;
  content << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
  ready_ = content.str();
  websocket = first_endpoint(ready_, "websocket");
  if (with_stun) stun = first_endpoint(ready_, "stun");
  admin = first_endpoint(ready_, "admin");
}

server_process::~server_process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(errors_);
}

void server_process::signal(int number) const {
  ::kill(pid_, number);
}

int server_process::wait() {
  const int status = exit_status(pid_);
  pid_ = -1;
  return status;
}

void server_process::wait_for(std::string_view end_of_line) const {
  const auto end = std::string(end_of_line) + '\n';
  const auto said = read_until(errors_, end);
  REQUIRE_MESSAGE(said.ends_with(end), said);
}

std::string server_process::last_words() const {
  return read_to_end(errors_);
}

bool server_process::alive() const {
  return ::waitpid(pid_, nullptr, WNOHANG) == 0;
}

void server_process::limit_descriptors(unsigned count) const {
  rlimit limit{};
  REQUIRE(::prlimit(pid_, RLIMIT_NOFILE, nullptr, &limit) == 0);
  limit.rlim_cur = count;
  REQUIRE(::prlimit(pid_, RLIMIT_NOFILE, &limit, nullptr) == 0);
}

std::size_t server_process::resident_bytes() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  REQUIRE(resident > 0);
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::vector<pid_t> server_process::other_threads() const {
  std::vector<pid_t> out;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
    const auto id = static_cast<pid_t>(std::stol(task.path().filename()));
    if (id != pid_) out.push_back(id);
  }
  return out;
}

namespace {
std::size_t entries_of(const std::string& folder) {
  return static_cast<std::size_t>(
      std::ranges::distance(std::filesystem::directory_iterator(folder)));
}
}  // namespace

std::size_t server_process::open_descriptors() const {
  return entries_of("/proc/" + std::to_string(pid_) + "/fd");
}

std::size_t server_process::threads() const {
  return entries_of("/proc/" + std::to_string(pid_) + "/task");
}

}  // namespace nat::test
