// Which socket of a group a client's datagrams reach.

#include "tests/check.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>

#include "stun/io/sockaddr.hpp"
#include "stun/io/spread.hpp"
#include "stun/io/udp_descriptor.hpp"

namespace {

using namespace nat;

class group {
 public:
  explicit group(const char* address) {
    endpoint at{*parse_address(address), 0};
    for (auto& one : sockets_) {
      one.fd = stun::io::open_udp(at, {.reuse_port = true, .report_errors = false});
      one.events = POLLIN;
      at = stun::io::bound_to(one.fd);
    }
    stun::io::spread_by_source(sockets_[0].fd, at.ip.v4, 3, 0x9e3779b9);
    at_ = stun::io::to_socket_address(at);
  }
  ~group() {
    for (const auto& one : sockets_) close(one.fd);
  }
  group(const group&) = delete;
  group& operator=(const group&) = delete;

  // A datagram from some port of that address; which socket has it.
  std::size_t send_from(std::string_view address) {
    const int client = stun::io::open_udp({*parse_address(address), 0}, {.report_errors = false});
    std::array<char, 1> octet{};
    CHECK(sendto(client, octet.data(), 1, 0, &at_.any, at_.size) == 1);
    close(client);
    REQUIRE(poll(sockets_.data(), sockets_.size(), 20'000) == 1);
    std::size_t i = 0;
    while (sockets_[i].revents == 0) ++i;
    CHECK(recv(sockets_[i].fd, octet.data(), 1, 0) == 1);
    return i;
  }

 private:
  std::array<pollfd, 3> sockets_{};
  stun::io::socket_address at_{};
};

TEST_CASE("all ports of one address reach one socket; addresses are spread") {
  group all("127.0.0.1");
  std::set<std::size_t> used;
  for (int host = 1; host <= 24; ++host) {
    const auto client = "127.0.0." + std::to_string(host);
    CAPTURE(client);
    const auto first = all.send_from(client);
    for (int port = 0; port < 8; ++port) CHECK(all.send_from(client) == first);
    used.insert(first);
  }
  CHECK(used.size() == 3);
}

TEST_CASE("IPv6") {
  group all("::1");
  const auto first = all.send_from("::1");
  for (int port = 0; port < 8; ++port) CHECK(all.send_from("::1") == first);
}

}  // namespace
