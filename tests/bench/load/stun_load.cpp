// Load on a STUN server over UDP: Binding answers a second with many requests in flight, and the
// round trip of one client that waits for each answer. Every answer is checked: the transaction
// that it names, a success, and the mapped address. Prints one JSON object a line.

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/crypto/system_random.hpp"
#include "stun/message.hpp"
#include "tests/bench/load/datagrams.hpp"
#include "tests/bench/load/figures.hpp"

namespace {

using namespace nat;
using namespace nat::bench;
using clock = std::chrono::steady_clock;

constexpr auto lost_after = std::chrono::milliseconds{500};

struct options {
  std::string server = "127.0.0.1:3478", client;
  std::size_t sockets = 0, in_flight = 0;
  double seconds = 2, warm_up = 0.3;
  std::optional<pid_t> server_pid;
  bool segmented = false;
};

struct counts {
  std::uint64_t answers = 0, lost = 0, wrong = 0;
};

// Requests in flight from a few sockets: each answer makes room for the next request. A
// transaction id is the run's, the slot's number, and how often the slot was used.
class binding_load {
 public:
  binding_load(const endpoint& server, const endpoint& from, std::size_t sockets,
               std::size_t in_flight, bool segmented)
      : in_flight_(in_flight), slots_(sockets * in_flight), out_(segmented) {
    crypto::system_random random;
    run_ = stun::make_transaction_id(random);
    for (std::size_t i = 0; i < sockets; ++i) {
      sockets_.emplace_back(from, 1 << 20);
      sockets_.back().connect(server);
      mapped_.push_back(sockets_.back().local());
      ready_.add(sockets_.back(), i);
    }
  }

  void start() {
    for (std::size_t i = 0; i < slots_.size(); ++i) ask(i);
  }

  void step() {
    ready_.wait(50, [this](std::uint64_t socket) { take(static_cast<std::size_t>(socket)); });
    if (clock::now() - swept_ > lost_after / 5) sweep();
  }

  counts counted;
  std::vector<double>* round_trips = nullptr;  // in µs, where wanted

 private:
  struct slot {
    std::uint32_t used = 0;
    time_point sent;
  };

  stun::transaction_id id_of(std::size_t i) const {
    auto id = run_;
    store_be(byte_span(id.octets), 4, static_cast<std::uint32_t>(i));
    store_be(byte_span(id.octets), 8, slots_[i].used);
    return id;
  }

  void queue(std::size_t i) {
    ++slots_[i].used;
    slots_[i].sent = now_;
    const auto room = out_.add(stun::header_size);
    ensure(stun::message_writer(room, stun::binding_request, id_of(i)).finish().has_value());
  }

  void ask(std::size_t i) {
    now_ = clock::now();
    queue(i);
    out_.send(sockets_[i / in_flight_]);
  }

  static constexpr std::size_t wrong = SIZE_MAX, late = SIZE_MAX - 1;

  // The slot that an answer frees; or wrong; or late: the answer to a request given up as lost.
  std::size_t judge(byte_view datagram, std::size_t socket) const {
    const auto answer = stun::message_view::parse(datagram);
    if (!answer || answer->type() != stun::binding_success) return wrong;
    const std::size_t i = load_be<std::uint32_t>(answer->id().octets, 4);
    if (i / in_flight_ != socket || i >= slots_.size()) return wrong;
    if (answer->get<stun::attr::xor_mapped_address>() != mapped_[socket]) return wrong;
    if (answer->id() == id_of(i)) return i;
    return load_be<std::uint32_t>(answer->id().octets, 8) < slots_[i].used ? late : wrong;
  }

  void take(std::size_t socket) {
    in_.receive(sockets_[socket]);
    now_ = clock::now();
    for (std::size_t k = 0; k < in_.size(); ++k) {
      const auto i = judge(in_[k], socket);
      if (i == wrong) ++counted.wrong;
      if (i >= slots_.size()) continue;
      ++counted.answers;
      if (round_trips != nullptr) {
        round_trips->push_back(
            std::chrono::duration<double, std::micro>(now_ - slots_[i].sent).count());
      }
      queue(i);
    }
    out_.send(sockets_[socket]);
  }

  void sweep() {
    swept_ = clock::now();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (swept_ - slots_[i].sent < lost_after) continue;
      ++counted.lost;
      ask(i);
    }
  }

  std::size_t in_flight_;
  std::vector<slot> slots_;
  stun::transaction_id run_;
  std::vector<udp> sockets_;
  std::vector<endpoint> mapped_;
  readiness ready_;
  batch in_, out_;
  time_point now_, swept_ = clock::now();
};

void run_for(binding_load& load, double seconds) {
  const auto end = clock::now() + std::chrono::duration<double>(seconds);
  while (clock::now() < end) load.step();
}

// Throws where nothing at all is answered, or something is answered wrongly.
void must_be_sound(const counts& c) {
  if (c.wrong > 0) throw std::runtime_error(std::to_string(c.wrong) + " answers were wrong");
  if (c.answers == 0) throw std::runtime_error("the server answers no Binding request");
}

void measure(const options& chosen, const endpoint& server, const endpoint& from,
             std::size_t sockets, std::size_t in_flight) {
  binding_load load(server, from, sockets, in_flight, chosen.segmented);
  load.start();
  run_for(load, chosen.warm_up);
  must_be_sound(load.counted);
  load.counted = {};
  std::vector<double> round_trips;
  const bool waits = sockets * in_flight == 1;
  if (waits) load.round_trips = &round_trips;
  const stopwatch watch(chosen.server_pid);
  run_for(load, chosen.seconds);
  const auto answers = static_cast<double>(load.counted.answers);
  must_be_sound(load.counted);
  const std::pair<std::string_view, double> lost{"lost", static_cast<double>(load.counted.lost)};
  if (waits) {
    print({"round trip of one waiting client, p50", quantile(round_trips, 0.5), "us", {lost}});
    print({"round trip of one waiting client, p99", quantile(round_trips, 0.99), "us"});
    return;
  }
  figure f{"Binding answers, " + std::to_string(sockets) + " x " + std::to_string(in_flight),
           answers / watch.seconds(),
           "1/s",
           {lost}};
  add_usage(f, watch, answers);
  print(f);
}

void run(const options& chosen) {
  const auto server = parse_endpoint(chosen.server);
  if (!server) throw std::runtime_error("--server is no ADDRESS:PORT");
  const auto client = chosen.client.empty() ? parse_address(server->ip.v4 ? "0.0.0.0" : "::")
                                            : parse_address(chosen.client);
  if (!client) throw std::runtime_error("--client-address is no address");
  const endpoint from{*client, 0};
  if (chosen.sockets > 0) return measure(chosen, *server, from, chosen.sockets, chosen.in_flight);
  measure(chosen, *server, from, 1, 256);
  measure(chosen, *server, from, 64, 4);
  measure(chosen, *server, from, 1, 1);
}

}  // namespace

int main(int argc, char** argv) {
  options chosen;
  CLI::App app{
      "Binding requests to a STUN server, as fast as it answers them.\n"
      "Without --sockets: 1 socket x 256 in flight, 64 x 4, and one waiting client."};
  app.add_option("--server", chosen.server, "ADDRESS:PORT of the server")->capture_default_str();
  app.add_option("--client-address", chosen.client, "where the sockets are bound; any");
  app.add_option("--sockets", chosen.sockets, "how many sockets ask");
  app.add_option("--in-flight", chosen.in_flight,
                 "requests in flight of each; 1 with 1 socket "
                 "measures round trips")
      ->default_val(4);
  app.add_option("--seconds", chosen.seconds, "of each figure")->capture_default_str();
  app.add_option("--warm-up", chosen.warm_up, "seconds before it")->capture_default_str();
  app.add_flag("--segmented", chosen.segmented,
               "send by UDP_SEGMENT, over a device that splits: ethtool -K DEVICE "
               "tx-udp-segmentation off");
  app.add_option("--server-pid", chosen.server_pid, "tells processor time an answer");
  CLI11_PARSE(app, argc, argv);
  try {
    run(chosen);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "stun_load: %s\n", e.what());
    return 1;
  }
}
