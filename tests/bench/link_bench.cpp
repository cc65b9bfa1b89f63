// Two links on loopback sockets in one thread, host candidates: from start to a path, to an
// encrypted and open data channel, and until a first message has crossed. Descriptions are handed
// over directly; certificates are made before, as a program does while it registers.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "peer-cli/session/link.hpp"
#include "protocol/crypto/system_random.hpp"
#include "stun/io/udp_socket.hpp"

namespace {

using namespace nat;
using clock_type = std::chrono::steady_clock;

void report(const char* name, double value, double target) {
  std::printf(R"({"name":"%s","value":%.3f,"unit":"ms","target":%g})"
              "\n",
              name, value, target);
}

class end {
 public:
  end(boost::asio::io_context& context, const dtls::certificate& certificate, bool offerer,
      random_source& random)
      : socket_(context.get_executor(), *parse_endpoint("127.0.0.1:0")),
        timer_(context),
        link_(config(offerer), certificate, random, clock_type::now()),
        base_(socket_.local()) {
    socket_.start(
        [this](const stun::io::udp_socket::received& in) {
          for (std::size_t at = 0; at < in.data.size(); at += in.segment_size) {
            const auto size = std::min(in.segment_size, in.data.size() - at);
            link_.handle_datagram({transport::udp, base_, in.from}, in.data.subspan(at, size),
                                  clock_type::now());
          }
        },
        [this] { pump(); }, [](const endpoint&, int) {});
    ice::candidate host;
    host.address = host.base = base_;
    host.priority = ice::candidate_priority(ice::candidate_kind::host, 65'535);
    host.foundation = "1";
    link_.add_local(host, clock_type::now());
    link_.end_of_local(clock_type::now());
  }

  void pump() {
    const auto now = clock_type::now();
    while (const auto event = link_.poll_event(now)) {
      if (std::holds_alternative<session::path_found>(*event)) connected = true;
      if (std::holds_alternative<session::link_ready>(*event)) ready = true;
      if (std::holds_alternative<datachannel::channel_opened>(*event)) opened = true;
      if (std::holds_alternative<datachannel::message>(*event)) message = true;
    }
    while (const auto out = link_.poll_transmit(now)) {
      socket_.send(out->via.remote, out->data, out->segment_size, out->hop_limit);
    }
    socket_.flush();
    const auto next = link_.next_timeout();
    if (!next) return;
    timer_.expires_at(*next);
    timer_.async_wait([this](boost::system::error_code stopped) {
      if (stopped) return;
      link_.handle_timeout(clock_type::now());
      pump();
    });
  }

  session::link& over() { return link_; }
  bool connected = false, ready = false, opened = false, message = false;

 private:
  static session::link_config config(bool offerer) {
    session::link_config c;
    c.offerer = offerer;
    c.local_id = offerer ? "a" : "b";
    c.remote_id = offerer ? "b" : "a";
    return c;
  }

  stun::io::udp_socket socket_;
  boost::asio::steady_timer timer_;
  session::link link_;
  endpoint base_;
};

struct times {
  double connected, open, message;
};

times run_once(const dtls::certificate& first, const dtls::certificate& second,
               random_source& random) {
  boost::asio::io_context context(1);
  const auto start = clock_type::now();
  const auto since = [&] { return milliseconds(clock_type::now() - start); };
  end a(context, first, true, random), b(context, second, false, random);
  if (b.over().set_remote(a.over().description(), start)) std::abort();
  if (a.over().set_remote(b.over().description(), start)) std::abort();
  a.pump();
  b.pump();
  times took{};
  const auto wait_for = [&](auto&& done) {
    while (!done() && context.run_one() > 0 && since() < 10'000) {
    }
    if (!done()) std::abort();  // ten seconds on loopback: not a benchmark any more
    return since();
  };
  took.connected = wait_for([&] { return a.connected && b.connected; });
  wait_for([&] { return a.ready; });
  const auto id = a.over().open({.label = "bench"}, clock_type::now());
  if (!id || !a.over().send(*id, as_bytes("x"), true, clock_type::now())) std::abort();
  a.pump();
  took.open = wait_for([&] { return b.opened; });
  took.message = wait_for([&] { return b.message; });
  return took;
}

}  // namespace

int main() {
  const dtls::certificate first, second;
  crypto::system_random random;
  std::vector<double> connected, open;
  for (int round = 0; round < 100; ++round) {
    const auto took = run_once(first, second, random);
    connected.push_back(took.connected);
    open.push_back(took.open);
  }
  std::ranges::sort(connected);
  std::ranges::sort(open);
  report("link.loopback_connected_median", connected[connected.size() / 2], 0.4);
  report("link.loopback_connected_min", connected.front(), 0.4);
  report("link.loopback_channel_open_median", open[open.size() / 2], 3);
  report("link.loopback_channel_open_min", open.front(), 3);
}
