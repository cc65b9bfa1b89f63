#include "tests/bench/load/hold_load.hpp"

#include <algorithm>
#include <array>

#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/system_random.hpp"
#include "stun/turn/channel_data.hpp"
#include "tests/bench/load/figures.hpp"

namespace nat::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t payload = 160;
// Allocations before the server's memory is looked at: what it needs once is there by then.
constexpr std::size_t before = 128;

// The measuring client is flow 0, on a peer of its own; all others share one. Both peers send
// everything back. Looks at its sockets without a pause, so that its own waking up is in no figure.
class holder {
 public:
  explicit holder(const turn_target& target)
      : target_(target), probed_({target.peer, 0}), echo_({target.peer, 0}, 4 << 20) {
    ready_.add(probed_, peers);
    ready_.add(echo_, peers + 1);
  }
  ~holder() { release(flows_); }
  holder(const holder&) = delete;

  void grow(std::size_t count) {
    const auto first = flows_.size();
    establish(
        flows_, count, target_,
        [this](std::size_t n) -> const udp& { return n == 0 ? probed_ : echo_; }, random_, 0);
    for (auto n = first; n < count; ++n) {
      channels_.push_back(flows_[n].channel(clock::now()));
      ready_.add(flows_[n].client(), n);
    }
  }

  // A packet through each flow.
  void touch_all() {
    for (std::size_t n = 1; n < flows_.size(); ++n) {
      send(n);
      while (on_their_way() >= 32) step();
    }
    settle();
  }

  // Round trips of the measuring client in µs, with `rate` packets a second through the others.
  std::vector<double> probe(double seconds, double rate) {
    round_trips_.clear();
    const auto began = clock::now();
    std::size_t others = 0, next = 1;
    send(0);
    for (;;) {
      step();
      const auto elapsed = std::chrono::duration<double>(clock::now() - began).count();
      if (elapsed > seconds) break;
      if (static_cast<double>(others) < elapsed * rate) {
        ++others;
        send(next);
        next = next + 1 < flows_.size() ? next + 1 : 1;
      }
      if (clock::now() - probed_at_ > std::chrono::milliseconds{500}) {
        ++probes_lost;
        send(0);
      }
    }
    settle();
    return round_trips_;
  }

  std::uint64_t sent = 0, returned = 0, probes_lost = 0;

 private:
  static constexpr std::uint64_t peers = 1ULL << 32;  // numbers of sockets from there on

  std::uint64_t on_their_way() const { return sent - returned; }

  void settle() {
    const auto end = clock::now() + std::chrono::milliseconds{500};
    while (on_their_way() > 0 && clock::now() < end) step();
  }

  void send(std::size_t n) {
    const auto room = out_.add(turn::channel_header_size + payload);
    store_be(room, 0, channels_[n]);
    store_be(room, 2, static_cast<std::uint16_t>(payload));
    out_.send(flows_[n].client());
    if (n == 0) {
      probed_at_ = clock::now();
    } else {
      ++sent;
    }
  }

  void step() {
    ready_.wait(0, [this](std::uint64_t number) {
      if (number >= peers) {
        const auto& peer = number == peers ? probed_ : echo_;
        in_.receive(peer);
        in_.send_back(peer);
        return;
      }
      in_.receive(flows_[number].client());
      for (std::size_t i = 0; i < in_.size(); ++i) take(number, in_[i]);
    });
  }

  void take(std::size_t n, byte_view datagram) {
    const auto data = turn::parse_channel_data(datagram);
    if (!data || data->number != channels_[n] || data->payload.size() != payload) return;
    if (n > 0) {
      ++returned;
      return;
    }
    round_trips_.push_back(
        std::chrono::duration<double, std::micro>(clock::now() - probed_at_).count());
    send(0);
  }

  const turn_target& target_;
  crypto::system_random random_;
  udp probed_, echo_;
  std::deque<turn_flow> flows_;
  std::vector<std::uint16_t> channels_;
  readiness ready_;
  batch in_, out_;
  std::vector<double> round_trips_;
  time_point probed_at_;
};

void print_latency(std::vector<double> samples, const std::string& when, std::uint64_t lost) {
  const auto name = "latency of one client, " + when + ", ";
  print({name + "p50", quantile(samples, 0.5), "us", {{"lost", static_cast<double>(lost)}}});
  print({name + "p99", quantile(samples, 0.99), "us"});
}

}  // namespace

void hold(const turn_target& target, const hold_options& chosen) {
  const auto pid = chosen.server_pid;
  const auto count = std::max(chosen.allocations, before + 1);
  const auto held = std::to_string(count);
  holder h(target);
  h.grow(1);
  print_latency(h.probe(chosen.seconds, 0), "alone", h.probes_lost);

  h.grow(before);
  h.touch_all();
  const auto memory = pid ? resident_octets(*pid) : 0;
  const stopwatch watch(pid);
  h.grow(count);
  const auto made = static_cast<double>(count - before);
  figure f{"allocations made, up to " + held, made / watch.seconds(), "1/s"};
  add_usage(f, watch, made);
  print(f);
  h.touch_all();
  if (pid) {
    const auto grown = static_cast<double>(resident_octets(*pid)) - static_cast<double>(memory);
    print({"memory of an allocation, " + held + " held", grown / made, "B"});
  }
  h.probes_lost = h.sent = h.returned = 0;
  print_latency(h.probe(chosen.seconds, chosen.packets_per_second), held + " held", h.probes_lost);
  const auto sent = static_cast<double>(h.sent);
  print({"packets that came back from " + held + " held",
         sent > 0 ? 100 * static_cast<double>(h.returned) / sent : 0,
         "%",
         {{"sent", sent}}});
}

}  // namespace nat::bench
