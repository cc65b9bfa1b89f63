#pragma once

// Clients on threads of their own, each of which does the same again and again until it is over.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/check.hpp"

namespace nat::test {

using soak_clock = std::chrono::steady_clock;

// Of each case.
inline std::chrono::seconds soak_length() {
  const char* given = std::getenv("SOAK_SECONDS");
  return std::chrono::seconds(given ? std::atoi(given) : 6);
}

class crowd {
 public:
  crowd() = default;
  ~crowd() { finish(); }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

  // What a REQUIRE throws ends it for all.
  template <class Deed>
  void start(Deed deed) {
    threads_.emplace_back([this, deed = std::move(deed)]() mutable {
      try {
        while (!over_) deed();
      } catch (const std::exception& e) {
        fail(e.what());
      } catch (...) {
        fail("an assertion");
      }
    });
  }
  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] int failed() const { return failed_; }
  void finish() {
    over_ = true;
    for (auto& t : threads_) t.join();
    threads_.clear();
  }

 private:
  void fail(const char* why) {
    MESSAGE(("a client gave up: " + std::string(why)));
    ++failed_;
    over_ = true;
  }
  std::atomic<bool> over_ = false;
  std::atomic<int> failed_ = 0;
  std::vector<std::thread> threads_;
};

// How long something took, each time.
class stopwatch {
 public:
  template <class Deed>
  void time(Deed deed) {
    const auto start = soak_clock::now();
    deed();
    milliseconds_.push_back(
        std::chrono::duration<double, std::milli>(soak_clock::now() - start).count());
  }
  void add(const stopwatch& other) {
    milliseconds_.insert(milliseconds_.end(), other.milliseconds_.begin(),
                         other.milliseconds_.end());
  }
  // That none took longer than 10 s is what the clients see to.
  void show(const char* what) {
    REQUIRE_FALSE(milliseconds_.empty());
    std::ranges::sort(milliseconds_);
    std::ostringstream text;  // doctest's own streams write a const char* as an address
    text << milliseconds_.size() << ' ' << what << ": median "
         << milliseconds_[milliseconds_.size() / 2] << " ms, p99 "
         << milliseconds_[milliseconds_.size() * 99 / 100] << " ms, worst " << milliseconds_.back()
         << " ms";
    MESSAGE(text.str());
  }

 private:
  std::vector<double> milliseconds_;
};

}  // namespace nat::test
