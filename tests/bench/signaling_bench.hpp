#pragma once

// What the parts of bench_signaling share: how a figure is said, how the server is started.

#include <sys/resource.h>

#include <string>
#include <vector>

#include "tests/bench/signaling_load.hpp"
#include "tests/certificate.hpp"

namespace nat::bench {

inline void report(const std::string& name, double value, const char* unit, double target,
                   const char* better = nullptr) {
  std::printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":%g", name.c_str(), value,
              unit, target);
  if (better != nullptr) std::printf(",\"better\":\"%s\"", better);
  std::puts("}");
  std::fflush(stdout);
}

// The words that start our server; certificate nullptr: in the clear.
inline std::vector<std::string> ours(const std::string& binary, int threads,
                                     const test::test_certificate* certificate = nullptr,
                                     const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{binary,    "--listen", "127.0.0.1:0", "--no-stun",
                                 "--admin", "none",     "--threads",   std::to_string(threads)};
  for (const auto* limit : {"--messages-per-second", "--max-connections-per-address",
                            "--connections-per-second-per-address"}) {
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

// The most that a process may have open, raised as far as it goes.
inline std::size_t raise_descriptor_limit() {
  rlimit limit{};
  ensure(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  ensure(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  return limit.rlim_cur;
}

// How many come a second, and leave again; in the clear or over TLS (signaling_connect.cpp).
void connect(const std::string& binary, int threads, const test::test_certificate* certificate);
// What 100,000 idle clients cost (signaling_hold.cpp).
void hold(const std::string& binary);

}  // namespace nat::bench
