#include "peer-cli/io/behavior_probe.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>

#include "tests/check.hpp"

using namespace nat;
namespace net = boost::asio;

namespace {

session::ice_url at(const net::ip::udp::socket& socket) {
  auto url = session::parse_ice_url("stun:127.0.0.1");
  url->port = socket.local_endpoint().port();
  return *url;
}

}  // namespace

TEST_CASE("behavior probe: runs beside others on a loop, tells once, and may go when it tells") {
  net::io_context loop;
  std::optional<peer_io::behavior_probe> probe;
  std::vector<peer_io::behavior_probe::outcome> told;
  const net::ip::udp::socket silent(loop, {net::ip::make_address("127.0.0.1"), 0});
  bool other_work = false;
  probe.emplace(
      loop.get_executor(), std::vector<address>{},
      peer_io::behavior_options{.servers = {at(silent)}, .timeout = std::chrono::milliseconds{1}},
      [&](auto outcome) {
        told.push_back(std::move(outcome));
        probe.reset();
      });
  net::post(loop, [&] { other_work = told.empty(); });
  loop.run();
  CHECK(other_work);
  REQUIRE(told.size() == 1);
  REQUIRE_FALSE(told[0]);
  CHECK(told[0].error().status == session::exit_status::signaling);
}

TEST_CASE("behavior probe: one that is gone tells nothing and leaves nothing on the loop") {
  net::io_context loop;
  const net::ip::udp::socket silent(loop, {net::ip::make_address("127.0.0.1"), 0});
  bool told = false;
  {
    const peer_io::behavior_probe probe(loop.get_executor(), {},
                                        {.servers = {at(silent)}, .timeout = std::chrono::hours{1}},
                                        [&](const auto&) { told = true; });
    loop.poll();
  }
  loop.run();  // an hour, were anything left
  CHECK_FALSE(told);
}

TEST_CASE("behavior probe: no server to ask is told as such, from the loop") {
  net::io_context loop;
  std::vector<peer_io::behavior_probe::outcome> told;
  const peer_io::behavior_probe probe(loop.get_executor(), {},
                                      {.servers = {}, .timeout = std::chrono::hours{1}},
                                      [&](auto outcome) { told.push_back(std::move(outcome)); });
  CHECK(told.empty());
  while (told.empty()) loop.run_one();
  CHECK_FALSE(told[0]);
}
