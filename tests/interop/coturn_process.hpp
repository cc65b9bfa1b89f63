#pragma once

// Debian's coturn as a child process, with a directory, ports and a certificate of its own, ended
// by its process id.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nat::test {

inline pid_t spawn(const std::vector<std::string>& command, const std::string& output) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("failed to start " + command[0]);
  return pid;
}

inline bool run(const std::vector<std::string>& command, const std::string& output) {
  int status = 0;
  return waitpid(spawn(command, output), &status, 0) > 0 && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

class coturn {
 public:
  static constexpr std::uint16_t port = 34780, tls_port = 34790;

  explicit coturn(const std::vector<std::string>& options = {}) {
    char pattern[] = "/tmp/nat-coturn-XXXXXX";
    if (mkdtemp(pattern) == nullptr) throw std::runtime_error("failed to make a directory");
    directory_ = pattern;
    make_certificate();
    std::vector<std::string> command{"turnserver",
                                     "-n",
                                     "--no-cli",
                                     "--no-software-attribute",
                                     "--simple-log",
                                     "--verbose",
                                     "--log-file",
                                     "stdout",
                                     "--fingerprint",
                                     "--listening-ip=127.0.0.1",
                                     "--listening-ip=::1",
                                     "--relay-ip=127.0.0.1",
                                     "--relay-ip=::1",
                                     "--listening-port=" + std::to_string(port),
                                     "--tls-listening-port=" + std::to_string(tls_port),
                                     "--no-dtls",
                                     "--allow-loopback-peers",
                                     "--min-port=50000",
                                     "--max-port=50999",
                                     "--lt-cred-mech",
                                     "--realm=example.org",
                                     "--user=quiet-otter:secret",
                                     "--user=loud-owl:secret",
                                     "--cert=" + certificate(),
                                     "--pkey=" + directory_ + "/key.pem",
                                     "--pidfile=" + directory_ + "/pid",
                                     "--userdb=" + directory_ + "/users"};
    command.insert(command.end(), options.begin(), options.end());
    pid_ = spawn(command, directory_ + "/log");
  }
  ~coturn() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }
  coturn(const coturn&) = delete;

  [[nodiscard]] std::string certificate() const { return directory_ + "/certificate.pem"; }
  [[nodiscard]] std::string log() const {
    std::ifstream file(directory_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  void make_certificate() {
    const bool made = run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                           "/CN=turn.test", "-addext", "subjectAltName=DNS:turn.test,IP:127.0.0.1",
                           "-keyout", directory_ + "/key.pem", "-out", certificate()},
                          directory_ + "/openssl");
    if (!made) throw std::runtime_error("failed to make a certificate");
  }

  std::string directory_;
  pid_t pid_ = 0;
};

}  // namespace nat::test
