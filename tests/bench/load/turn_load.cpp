// Load on a TURN server over UDP: ChannelData a second through one flow and many, each direction
// and there and back; or, with --hold, many allocations at once. Prints one JSON object a line.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>

#include <sys/resource.h>

#include <CLI/CLI.hpp>

#include "protocol/crypto/system_random.hpp"
#include "tests/bench/load/hold_load.hpp"
#include "tests/bench/load/relay_load.hpp"

namespace {

using namespace nat;
using namespace nat::bench;

constexpr double tolerated_loss = 0.001;

struct options {
  std::string server = "127.0.0.1:3478", secret_file, peer = "127.0.0.2", client;
  std::vector<std::size_t> flows{1, 20}, sizes{160, 1200};
  std::vector<std::string> directions{"up", "down", "both"};
  std::vector<std::size_t> windows{40, 320};
  std::size_t hold = 0, per_address = 64, per_name = 32;
  double seconds = 1, warm_up = 0.2, light = 10'000;
  std::optional<pid_t> server_pid;
  bool segmented = false;
};

std::string read_secret(const std::string& file) {
  std::string secret;
  if (file.empty()) {
    if (const char* value = std::getenv("TURN_SECRET")) secret = value;
  } else {
    std::ifstream in(file);
    std::getline(in, secret);
  }
  if (secret.empty()) throw std::runtime_error("no secret: name a --secret-file, or TURN_SECRET");
  return secret;
}

turn_target target_of(const options& chosen) {
  const auto server = parse_endpoint(chosen.server);
  if (!server) throw std::runtime_error("--server is no ADDRESS:PORT");
  const auto peer = parse_address(chosen.peer);
  if (!peer) throw std::runtime_error("--peer-address is no address");
  const auto client = chosen.client.empty() ? server->ip : *parse_address(chosen.client);
  return {*server,        read_secret(chosen.secret_file), *peer, client, chosen.per_address,
          chosen.per_name};
}

struct measured {
  figure what;
  double lost_share;
};

measured measure(const options& chosen, std::deque<turn_flow>& flows, std::size_t count,
                 direction way, std::size_t size, std::size_t in_all) {
  const auto window = std::max<std::size_t>(1, in_all / count);
  relay_load load(flows, count, way, size, window, chosen.segmented);
  load.run_for(chosen.warm_up);
  load.counted = {};
  const stopwatch watch(chosen.server_pid);
  load.run_for(chosen.seconds);
  if (load.counted.damaged > 0) throw std::runtime_error("packets arrived that nobody sent");
  const auto delivered = static_cast<double>(load.counted.delivered);
  const auto lost = static_cast<double>(load.counted.lost);
  figure f{"relayed " + std::string(to_string(way)) + ", " + std::to_string(size) + " bytes, " +
               std::to_string(count) + (count == 1 ? " flow" : " flows"),
           delivered / watch.seconds(),
           "1/s",
           {{"window", static_cast<double>(window)}, {"lost", lost}}};
  add_usage(f, watch, way == direction::both ? 2 * delivered : delivered);
  return {std::move(f), lost / std::max(1.0, delivered + lost)};
}

// The best of the windows: what a server's buffers hold differs, and a window that overflows them
// measures losses instead. One that loses counts where every one does.
void measure_best(const options& chosen, std::deque<turn_flow>& flows, std::size_t count,
                  direction way, std::size_t size) {
  std::optional<measured> best;
  for (const auto window : chosen.windows) {
    auto one = measure(chosen, flows, count, way, size, window);
    const auto rank = [](const measured& m) {
      return std::pair(m.lost_share < tolerated_loss, m.what.value);
    };
    if (!best || rank(one) > rank(*best)) best = std::move(one);
  }
  print(best->what);
}

void relay(const options& chosen, const turn_target& target) {
  constexpr int buffer = 4 << 20;
  const auto most = *std::ranges::max_element(chosen.flows);
  std::vector<udp> peers;
  for (std::size_t i = 0; i < most; ++i) peers.emplace_back(endpoint{target.peer, 0}, buffer);
  crypto::system_random random;
  std::deque<turn_flow> flows;
  establish(
      flows, most, target, [&](std::size_t n) -> const udp& { return peers[n]; }, random, buffer);
  for (std::size_t i = 0; i < most; ++i) peers[i].connect(flows[i].relayed());
  for (const auto size : chosen.sizes) {
    for (const auto count : chosen.flows) {
      for (const auto& way : chosen.directions) {
        measure_best(chosen, flows, count,
                     way == "up"     ? direction::up
                     : way == "down" ? direction::down
                                     : direction::both,
                     size);
      }
    }
  }
  release(flows);
}

void open_many_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void describe(CLI::App& app, options& chosen) {
  app.add_option("--server", chosen.server, "ADDRESS:PORT of the server")->capture_default_str();
  app.add_option("--secret-file", chosen.secret_file,
                 "holds the secret of TURN REST credentials; or TURN_SECRET does");
  app.add_option("--peer-address", chosen.peer,
                 "where the peers are: none of the server's own, and one that it relays to")
      ->capture_default_str();
  app.add_option("--client-address", chosen.client,
                 "where the clients are, the first of a row; the server's address");
  app.add_option("--flows", chosen.flows, "numbers of flows, each a figure")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--sizes", chosen.sizes, "octets of payload, each a figure")
      ->delimiter(',')
      ->check(CLI::Range(16, 1400))
      ->capture_default_str();
  app.add_option("--direction", chosen.directions, "up, down, both (there and back)")
      ->delimiter(',')
      ->check(CLI::IsMember({"up", "down", "both"}))
      ->capture_default_str();
  app.add_option("--window", chosen.windows,
                 "packets on their way, over all flows: a sender waits for arrivals; of several "
                 "the best that loses less than 1 in 1,000")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--hold", chosen.hold, "hold so many allocations instead, and measure one");
  app.add_option("--light", chosen.light, "packets a second through all that are held")
      ->capture_default_str();
  app.add_option("--per-address", chosen.per_address, "allocations of one client address")
      ->capture_default_str();
  app.add_option("--per-name", chosen.per_name, "allocations of one user name")
      ->capture_default_str();
  app.add_option("--seconds", chosen.seconds, "of each figure")->capture_default_str();
  app.add_option("--warm-up", chosen.warm_up, "seconds before it")->capture_default_str();
  app.add_flag("--segmented", chosen.segmented,
               "send by UDP_SEGMENT, over a device that splits: ethtool -K DEVICE "
               "tx-udp-segmentation off");
  app.add_option("--server-pid", chosen.server_pid, "tells processor time a packet, and memory");
}

}  // namespace

int main(int argc, char** argv) {
  options chosen;
  CLI::App app{"ChannelData through a TURN server, as fast as it relays."};
  describe(app, chosen);
  CLI11_PARSE(app, argc, argv);
  try {
    open_many_files();
    const auto target = target_of(chosen);
    if (chosen.hold == 0) {
      relay(chosen, target);
    } else {
      hold(target, {chosen.hold, chosen.light, chosen.seconds, chosen.server_pid});
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "turn_load: %s\n", e.what());
    return 1;
  }
}
