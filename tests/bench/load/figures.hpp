#pragma once

// What a load generator measures with and how it says it: processor time and memory of the server's
// process, quantiles, one line of JSON for each figure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "protocol/base/time.hpp"

namespace nat::bench {

// Both of all threads. Throw std::runtime_error where there is no such process.
[[nodiscard]] duration processor_time(pid_t);  // to 10 ms
[[nodiscard]] std::uint64_t resident_octets(pid_t);

// How busy a server and this program were: made at the start, asked at the end.
class stopwatch {
 public:
  explicit stopwatch(std::optional<pid_t> server);
  [[nodiscard]] double seconds() const;
  // Seconds of processor time of the server; nullopt: its process is not known.
  [[nodiscard]] std::optional<double> server_seconds() const;
  [[nodiscard]] double own_seconds() const;

 private:
  std::optional<pid_t> server_;
  time_point began_;
  duration server_began_, own_began_;
};

// q from 0 to 1; 0 for no samples. Sorts in part.
[[nodiscard]] double quantile(std::vector<double>& samples, double q);

struct figure {
  std::string name;
  double value;
  std::string_view unit;
  std::vector<std::pair<std::string_view, double>> details = {};
};
void print(const figure&);

// server_busy, server_ns (a packet) where known, and generator_busy: the one near 1 is the limit.
void add_usage(figure&, const stopwatch&, double packets);

}  // namespace nat::bench
