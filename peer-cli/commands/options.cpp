#include "peer-cli/commands/options.hpp"

#include <fcntl.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <expected>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <utility>

#include <CLI/CLI.hpp>

#include "peer-cli/session/bench.hpp"
#include "peer-cli/session/ice_url.hpp"
#include "protocol/crypto/system_random.hpp"
#include "protocol/signal/messages.hpp"

namespace nat::commands {
namespace {

// A name that a person can read out to another: 2^5 x 2^5 words and four digits.
std::string random_name() {
  static constexpr std::array<const char*, 32> moods = {
      "amber", "brave", "brisk", "calm",  "clear", "clever", "cosy",  "eager",
      "early", "fair",  "fleet", "fond",  "fresh", "glad",   "grand", "happy",
      "keen",  "kind",  "light", "lucky", "merry", "mild",   "neat",  "noble",
      "proud", "quick", "quiet", "rapid", "sharp", "sunny",  "swift", "warm"};
  static constexpr std::array<const char*, 32> animals = {
      "badger", "beaver", "bison",  "crane", "dove",  "eagle", "egret", "falcon",
      "finch",  "fox",    "gecko",  "heron", "ibis",  "jay",   "koala", "lark",
      "lemur",  "lynx",   "marten", "mole",  "newt",  "otter", "owl",   "panda",
      "puffin", "raven",  "robin",  "seal",  "stork", "swan",  "tapir", "wren"};
  crypto::system_random random;
  const auto number = std::to_string(1000 + random_below(random, 9000));
  return std::string(moods[random_below(random, moods.size())]) + '-' +
         animals[random_below(random, animals.size())] + '-' + number;
}

// A secret's file, whole, without line ends after it; or what is wrong with it.
std::expected<std::string, std::string> read_secret(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return std::unexpected("can't read '" + file + "'");
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return std::unexpected("'" + file + "' is empty");
  return text;
}

std::optional<std::string> secret_from(const std::string& file, const char* option,
                                       const char* variable) {
  if (!file.empty()) {
    auto text = read_secret(file);
    if (!text) throw CLI::ValidationError(option, text.error());
    return std::move(*text);
  }
  if (const char* const text = std::getenv(variable); text != nullptr && *text != '\0') return text;
  return std::nullopt;
}

// The token as its file has it at the moment; what was read last is in force while it can't be
// read.
std::function<session::signaling_token()> token_source(const options& from) {
  if (from.token_file.empty()) {
    return [token = from.token] { return session::signaling_token{token, {}}; };
  }
  return [file = from.token_file, last = from.token]() mutable {
    auto text = read_secret(file);
    if (!text) return session::signaling_token{last, text.error()};
    last = std::move(*text);
    return session::signaling_token{last, {}};
  };
}

void parse_port_range(const std::string& text, options& out) {
  const auto dash = text.find('-');
  const auto number = [&](std::string_view digits) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      throw CLI::ValidationError("--port",
                                 "'" + text + "' is no port or range; write 40000 or 40000-40100");
    }
    return port;
  };
  out.port_low = number(std::string_view(text).substr(0, dash));
  out.port_high =
      dash == std::string::npos ? out.port_low : number(std::string_view(text).substr(dash + 1));
  if (out.port_low > out.port_high)
    throw CLI::ValidationError("--port", "the range '" + text + "' is empty");
}

struct raw_options {  // as typed
  std::string token_file, secret_file, ice_username, ice_credential_file, policy = "all", port,
                                                                          level;
  std::string direction = "both";
  std::vector<std::string> ice_servers, bind;
  bool verbose = false, quiet = false;
};

void add_common(CLI::App& app, options& out, raw_options& raw) {
  app.set_version_flag("--version", "peer-cli " NAT_VERSION);
  app.set_config("--config", "", "Options from a file, in TOML");
  app.add_option("-s,--server", out.server, "The signaling server, ws:// or wss://")
      ->envname("PEER_SERVER")
      ->capture_default_str();
  app.add_option("--id", out.id, "This peer's name [random, printed]")->envname("PEER_ID");
  app.add_option("--token-file", raw.token_file,
                 "File with what the server asks for, read at each registration (or PEER_TOKEN "
                 "holds it)");
  app.add_option("--tls-ca", out.tls_ca, "Certificates that wss is verified by [the system's]")
      ->check(CLI::ExistingFile);
  app.add_flag("--tls-insecure", out.tls_insecure, "Don't verify wss");
  app.add_option("--ice-server", raw.ice_servers,
                 "stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp], turns:…; repeatable [the "
                 "server's]")
      ->envname("PEER_ICE_SERVERS")
      ->delimiter(',');
  app.add_option("--ice-username", raw.ice_username, "For turn: servers given here")
      ->envname("PEER_ICE_USERNAME");
  app.add_option("--ice-credential-file", raw.ice_credential_file,
                 "File with their password (or PEER_ICE_CREDENTIAL holds it)");
  app.add_option("--policy", raw.policy,
                 "all; direct: never touch a relay; relay: use nothing else")
      ->check(CLI::IsMember({"all", "direct", "relay"}))
      ->capture_default_str();
  app.add_option("--bind", raw.bind, "Address for host candidates; repeatable [all interfaces]");
  app.add_option("--port", raw.port, "Port or range for host candidates [any]");
  app.add_flag("--no-port-mapping", out.no_port_mapping,
               "Don't ask routers for a port (PCP, NAT-PMP, UPnP)")
      ->envname("PEER_NO_PORT_MAPPING");
  app.add_option("--secret-file", raw.secret_file,
                 "File with a secret that the other end knows too; without it no data flows (or "
                 "PEER_SECRET holds it)");
  app.add_option("--timeout", out.timeout_seconds, "Seconds to be connected")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  app.add_flag("--json", out.json, "One JSON object per line");
  app.add_option("--json-fd", out.json_descriptor, "Write the JSON lines to this descriptor")
      ->check(CLI::Range(1, 1'023));
  app.add_flag("-v,--verbose", raw.verbose, "Say more");
  app.add_flag("-q,--quiet", raw.quiet, "Say errors only");
  app.add_option("--log-level", raw.level, "error, info or debug")
      ->check(CLI::IsMember({"error", "info", "debug"}));
}

void add_measurements(CLI::App& ping, CLI::App& bench, options& out, raw_options& raw) {
  ping.add_option("-c,--count", out.count, "Round trips [until interrupted]")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}));
  ping.add_option("-i,--interval", out.interval_seconds, "Seconds between them")
      ->check(CLI::Range(0.01, 3'600.0))
      ->capture_default_str();
  ping.add_flag("--until-direct", out.until_direct,
                "End with 0 after the first round trip over a direct path; 8 where the count or "
                "--timeout ends first");
  bench.add_option("--seconds", out.length_seconds, "How long to send")
      ->check(CLI::Range(0.1, std::chrono::duration<double>(session::max_bench_length).count()))
      ->capture_default_str();
  bench.add_option("--direction", raw.direction, "up: from here; down: to here")
      ->check(CLI::IsMember({"up", "down", "both"}))
      ->capture_default_str();
}

void add_commands(CLI::App& app, options& out, raw_options& raw) {
  app.require_subcommand(1);
  app.fallthrough();
  auto* const listen = app.add_subcommand("listen", "Register, wait for a peer, and be its pipe");
  listen->add_flag("--keep", out.keep, "Wait for the next peer afterwards");
  auto* const connect =
      app.add_subcommand("connect", "Be the other end of a listening peer's pipe");
  auto* const check = app.add_subcommand("check", "Find a path to a listening peer, report, end");
  auto* const ping =
      app.add_subcommand("ping", "Round trips to a listening peer, and the path of each");
  auto* const bench =
      app.add_subcommand("bench", "Throughput to and from a listening peer, as both ends see it");
  add_measurements(*ping, *bench, out, raw);
  for (auto* const command : {connect, check, ping, bench}) {
    command->add_option("PEER", out.target, "The other peer's name")->required();
  }
  check->add_option("--expect", out.expect, "Status 8 unless the path is this one")
      ->check(CLI::IsMember({"direct", "relay"}));
  auto* const stun =
      app.add_subcommand("stun", "This host's public address as a STUN server sees it");
  stun->add_option("URL", out.url, "stun:HOST[:PORT][?transport=udp|tcp] [the signaling server's]");
  auto* const nat = app.add_subcommand("nat", "How this host's NAT behaves, and what that means");
  nat->add_option("URL", out.url, "stun:HOST[:PORT] [the signaling server's]");
  nat->add_flag("--lifetime", out.lifetime,
                "Measure how long idle mappings live; takes 1 to 10 minutes");
  nat->add_option(
         "--with", out.with,
         "Forecast with another machine: FILE, what `peer-cli --json nat` printed there, or "
         "the PEER that listens there; a file that exists wins, ./NAME is always one")
      ->type_name("FILE|PEER");
  app.add_subcommand("gather", "The table of this host's candidates");
}

// `--with`: a file where there is one, or where no peer can be called so.
void tell_file_from_peer(options& out) {
  std::error_code error;
  if (!signal::is_peer_id(out.with) || std::filesystem::exists(out.with, error)) return;
  out.target = std::exchange(out.with, {});
}

void check_names(const options& out) {
  if (!signal::is_peer_id(out.id)) {
    throw CLI::ValidationError("--id",
                               "'" + out.id + "' is no name: 1 to 64 of A-Z a-z 0-9 . _ ~ -");
  }
  const bool targeted = out.command == verb::connect || out.command == verb::check ||
                        out.command == verb::ping || out.command == verb::bench ||
                        !out.target.empty();
  if (targeted && !signal::is_peer_id(out.target)) {
    throw CLI::ValidationError("PEER",
                               "'" + out.target + "' is no name: 1 to 64 of A-Z a-z 0-9 . _ ~ -");
  }
  if (targeted && out.target == out.id)
    throw CLI::ValidationError("PEER", "that is this peer's own name");
}

void interpret(options& out, const raw_options& raw) {
  if (const auto wrong = peer_io::check_websocket_url(out.server); !wrong.empty()) {
    throw CLI::ValidationError("--server", wrong);
  }
  out.id_given = !out.id.empty();
  if (!out.id_given) out.id = random_name();
  tell_file_from_peer(out);
  check_names(out);
  out.token = secret_from(raw.token_file, "--token-file", "PEER_TOKEN");
  std::error_code error;  // a pipe, say: it is read once
  if (std::filesystem::is_regular_file(raw.token_file, error)) out.token_file = raw.token_file;
  out.secret = secret_from(raw.secret_file, "--secret-file", "PEER_SECRET");
  const auto credential =
      secret_from(raw.ice_credential_file, "--ice-credential-file", "PEER_ICE_CREDENTIAL");
  if (const auto parsed = session::parse_ice_url(out.url); !out.url.empty() && !parsed) {
    throw CLI::ValidationError("URL", "'" + out.url + "': " + parsed.error());
  }
  if (const auto parsed = session::parse_ice_url(out.url);
      out.command == verb::nat && !out.url.empty() &&
      (parsed->proto != transport::udp || parsed->tls)) {
    throw CLI::ValidationError("URL", "'" + out.url + "': nat tests UDP; write stun:HOST[:PORT]");
  }
  for (const auto& url : raw.ice_servers) {
    const auto parsed = session::parse_ice_url(url);
    if (!parsed) throw CLI::ValidationError("ICE server", "'" + url + "': " + parsed.error());
    if (parsed->turn && (raw.ice_username.empty() || !credential)) {
      throw CLI::ValidationError("--ice-server",
                                 "'" + url +
                                     "' needs --ice-username and --ice-credential-file "
                                     "(or PEER_ICE_USERNAME and PEER_ICE_CREDENTIAL)");
    }
    out.ice_servers.push_back({url, raw.ice_username, credential.value_or(std::string{})});
  }
  out.policy = raw.policy == "direct"  ? session::path_policy::direct
               : raw.policy == "relay" ? session::path_policy::relay
                                       : session::path_policy::all;
  if (out.until_direct && out.policy == session::path_policy::relay) {
    throw CLI::ValidationError("--until-direct", "with --policy relay no path is ever direct");
  }
  out.up = raw.direction != "down";
  out.down = raw.direction != "up";
  for (const auto& text : raw.bind) {
    const auto ip = parse_address(text);
    if (!ip) throw CLI::ValidationError("--bind", "'" + text + "' is no IP address");
    out.bind.push_back(*ip);
  }
  if (!raw.port.empty()) parse_port_range(raw.port, out);
  out.verbosity = raw.quiet || raw.level == "error"     ? -1
                  : raw.verbose || raw.level == "debug" ? 1
                                                        : 0;
  if (out.json_descriptor < 0) return;
  out.json = true;
  // Asked before anything of ours is open: a free number would soon be one of our own sockets.
  if (::fcntl(out.json_descriptor, F_GETFD) < 0) {
    throw CLI::ValidationError("--json-fd",
                               "descriptor " + std::to_string(out.json_descriptor) +
                                   " is not open; open it in the shell: 3>events.json");
  }
}

}  // namespace

options parse_options(int argc, char** argv) {
  options out;
  raw_options raw;
  CLI::App app{"Gets two machines talking through whatever stands between them."};
  app.name("peer-cli");
  app.footer(
      "Examples:\n"
      "  peer-cli -s ws://host.example:8080 --id alice listen > got.txt    on one machine\n"
      "  peer-cli -s ws://host.example:8080 connect alice < file.txt       on the other\n"
      "  peer-cli -s ws://host.example:8080 check alice --expect direct    find a path, report, "
      "end\n"
      "  peer-cli -s ws://host.example:8080 ping alice -c 5                round trips and their "
      "paths\n"
      "  peer-cli -s ws://host.example:8080 ping alice --until-direct      wait for a direct path\n"
      "  peer-cli -s ws://host.example:8080 bench alice --direction up     throughput\n"
      "  peer-cli stun stun:host.example                                   the public address\n"
      "  peer-cli nat stun:host.example                                    how the NAT behaves\n"
      "  peer-cli --json nat > mine.json                                   for the other machine:\n"
      "  peer-cli nat --with mine.json                                     will the two connect?\n"
      "  peer-cli -s ws://host.example:8080 nat --with alice               the same, asking alice\n"
      "\n"
      "Status: 0 done, 1 internal error, 2 usage, 3 signaling server, 4 peer not there, 5 no "
      "path,\n"
      "6 wrong secret or fingerprint, 7 path lost, 8 not the path expected (nat: a hostile NAT),\n"
      "130 interrupted.");
  add_common(app, out, raw);
  add_commands(app, out, raw);
  try {
    app.parse(argc, argv);
    const auto name = app.get_subcommands().front()->get_name();
    out.command = name == "listen"    ? verb::listen
                  : name == "connect" ? verb::connect
                  : name == "check"   ? verb::check
                  : name == "ping"    ? verb::ping
                  : name == "bench"   ? verb::bench
                  : name == "stun"    ? verb::stun
                  : name == "nat"     ? verb::nat
                                      : verb::gather;
    interpret(out, raw);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) throw early_exit{app.exit(e)};  // --help, --version
    std::cerr << "peer-cli: " << e.what() << "\nSee peer-cli --help.\n";
    throw early_exit{2};
  }
  return out;
}

peer_io::runtime_options runtime_options_of(const options& from) {
  return {.server = {from.server, from.tls_ca, from.tls_insecure},
          .token = token_source(from),
          .bind = from.bind,
          .port_low = from.port_low,
          .port_high = from.port_high};
}

session::peer_config peer_config_of(const options& from) {
  session::peer_config config;
  config.id = from.id;
  if (!from.target.empty()) config.target = from.target;
  config.policy = from.policy;
  config.secret = from.secret;
  config.servers = from.ice_servers;
  config.port_mapping = !from.no_port_mapping;
  config.timeout = from.timeout();
  return config;
}

}  // namespace nat::commands
