#include "tests/bench/load/figures.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <unistd.h>

namespace nat::bench {
namespace {

using seconds_f = std::chrono::duration<double>;

std::ifstream process_file(pid_t pid, const char* name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + name);
  if (!file) throw std::runtime_error("no process " + std::to_string(pid) + " to measure");
  return file;
}

}  // namespace

duration processor_time(pid_t pid) {
  auto file = process_file(pid, "stat");
  std::string line;
  std::getline(file, line);
  // Behind the name, which may hold spaces: state is field 3, utime 14, stime 15 (proc(5)).
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  long user = 0, system = 0;
  rest >> user >> system;
  return std::chrono::duration_cast<duration>(
      seconds_f(static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK))));
}

std::uint64_t resident_octets(pid_t pid) {
  auto file = process_file(pid, "smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Rss:")) return std::stoull(line.substr(4)) * 1024;
  }
  throw std::runtime_error("no Rss in smaps_rollup");
}

stopwatch::stopwatch(std::optional<pid_t> server)
    : server_(server),
      began_(std::chrono::steady_clock::now()),
      server_began_(server ? processor_time(*server) : duration{}),
      own_began_(processor_time(getpid())) {}

double stopwatch::seconds() const {
  return seconds_f(std::chrono::steady_clock::now() - began_).count();
}

std::optional<double> stopwatch::server_seconds() const {
  if (!server_) return std::nullopt;
  return seconds_f(processor_time(*server_) - server_began_).count();
}

double stopwatch::own_seconds() const {
  return seconds_f(processor_time(getpid()) - own_began_).count();
}

double quantile(std::vector<double>& samples, double q) {
  if (samples.empty()) return 0;
  const auto last = static_cast<double>(samples.size() - 1);
  const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(last * q);
  std::nth_element(samples.begin(), nth, samples.end());
  return *nth;
}

void print(const figure& f) {
  std::printf(R"({"name":"%s","value":%.6g,"unit":"%.*s","target":null)", f.name.c_str(), f.value,
              static_cast<int>(f.unit.size()), f.unit.data());
  for (const auto& [name, value] : f.details) {
    std::printf(R"(,"%.*s":%.6g)", static_cast<int>(name.size()), name.data(), value);
  }
  std::puts("}");
  std::fflush(stdout);
}

void add_usage(figure& f, const stopwatch& watch, double packets) {
  const auto rounded = [](double share) { return static_cast<int>(share * 100) / 100.0; };
  const auto seconds = watch.seconds();
  if (const auto spent = watch.server_seconds()) {
    f.details.emplace_back("server_busy", rounded(*spent / seconds));
    f.details.emplace_back("server_ns", packets > 0 ? *spent / packets * 1e9 : 0);
  }
  f.details.emplace_back("generator_busy", rounded(watch.own_seconds() / seconds));
}

}  // namespace nat::bench
