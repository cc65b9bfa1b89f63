#pragma once

// What a server takes of its machine: memory and threads half-way and at the end, descriptors at
// the start and once everybody has gone. Of memory what it has allocated and not freed.

#include <limits>
#include <string>

#include "tests/check.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"

namespace nat::test {

// How long everybody may take to go.
inline constexpr std::chrono::seconds time_to_go{60};

class footprint {
 public:
  // With nobody there. What is still being closed is not counted: the least of many looks.
  explicit footprint(const server_process& server)
      : server_(server), descriptors_(server.open_descriptors()) {
    for (int i = 0; i < 200; ++i) descriptors_ = std::min(descriptors_, server.open_descriptors());
  }
  void look_half_way() {
    heap_ = heap();
    threads_ = server_.threads();
  }
  // By no more than `most` octets.
  void check_growth(double most) const {
    const auto at_end = heap();
    MESSAGE((heap_ / 1024) << " KiB allocated half-way, " << (at_end / 1024) << " KiB at the end, "
                           << (server_.resident_bytes() >> 20) << " MiB resident");
    CHECK(at_end < heap_ + most);
    CHECK(server_.threads() == threads_);
  }
  void check_left(std::string_view gauge) const {
    wait_until(
        std::string(gauge) + " is back to zero",
        [&] { return metric(server_.admin, std::string(gauge)) == 0; }, time_to_go);
  }
  // `visit`: names that are held go as others come.
  template <class Visit>
  void check_all_left(Visit visit) const {
    for (const auto* gauge : {"signaling_connections", "signaling_stun_streams",
                              "signaling_relay_allocations", "signaling_names"}) {
      check_left(gauge);
    }
    wait_until(
        "no name is held",
        [&] {
          visit();
          return metric(server_.admin, "signaling_names_held") == 0;
        },
        time_to_go);
    check_left("signaling_connections");
    check_left("signaling_names");
    wait_until(
        "no more descriptors than at the start",
        [&] { return server_.open_descriptors() <= descriptors_; }, time_to_go);
  }

 private:
  // The least of some looks.
  [[nodiscard]] double heap() const {
    auto least = std::numeric_limits<double>::max();
    for (int i = 0; i < 20; ++i) {
      const auto answer = http_get(server_.admin, "/heap");
      REQUIRE(answer.starts_with("HTTP/1.1 200 "));
      least = std::min(least, std::stod(answer.substr(answer.find("\r\n\r\n") + 4)));
    }
    return least;
  }
  const server_process& server_;
  std::size_t descriptors_, threads_ = 0;
  double heap_ = 0;
};

}  // namespace nat::test
