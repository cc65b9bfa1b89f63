#include "signaling/io/options.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <thread>
#include <type_traits>

#include <CLI/CLI.hpp>

#include "signaling/io/config_file.hpp"
#include "signaling/io/raw_options.hpp"

namespace nat::signaling::io {

namespace {

constexpr std::uint64_t max_count = 1'000'000'000'000, max_seconds = 1'000'000;

// CLI11 by itself makes of -1 a size_t that limits nothing, and of "" a zero, which here is no
// limit.
template <class Number>
CLI::Validator within(Number low, Number high) {
  return {[low, high](const std::string& text) -> std::string {
            Number value{};
            const auto* end = text.data() + text.size();
            const auto [stop, error] = std::from_chars(text.data(), end, value);
            if (error == std::errc{} && stop == end && value >= low && value <= high) return {};
            return '"' + text + "\" is not a " + (std::is_integral_v<Number> ? "whole " : "") +
                   "number from " + std::to_string(std::uint64_t(low)) + " to " +
                   std::to_string(std::uint64_t(high));
          },
          ""};
}

// An option that a script's empty variable was given to would silently not be there: any peer let
// in, for --token-file.
CLI::Validator not_empty() {
  return {[](const std::string& text) -> std::string {
            return text.empty() ? "is empty: leave it out for the default" : "";
          },
          ""};
}

void add_addresses(CLI::App& app, options& out, raw_options& raw) {
  app.add_option("--listen", raw.listen,
                 "WebSocket address; repeatable; port 0 picks a free one "
                 "[0.0.0.0:8080 and [::]:8080]")
      ->type_name("ADDR:PORT")
      ->envname("SIGNALING_LISTEN");
  app.add_option("--stun", raw.stun,
                 "embedded STUN server, over UDP and TCP; repeatable [0.0.0.0:3478 and [::]:3478]")
      ->type_name("ADDR:PORT");
  app.add_option("--stun-alternate", raw.alternates,
                 "second address and port of this machine, for NAT behaviour tests (RFC 5780) with "
                 "the --stun address of the same family; repeatable [none]")
      ->type_name("ADDR:PORT");
  app.add_flag("--no-stun", raw.no_stun, "no embedded STUN server");
  app.add_option("--ice-server", out.ice_servers,
                 "announce this in place of the embedded server, e.g. "
                 "turn:relay.example.net:3478?transport=udp; repeatable")
      ->type_name("URL");
  app.add_option("--token-file", out.token_file,
                 "who may register: a token a line, then the names it may take (* for anything); "
                 "SIGHUP reads it again; or SIGNALING_TOKENS, the lines themselves [anyone]")
      ->type_name("FILE");
  app.add_option("--allow-origin", raw.origins,
                 "pages that may connect, e.g. https://app.example.net; repeatable [all]")
      ->type_name("ORIGIN");
  app.add_option("--trusted-proxy", raw.proxies,
                 "proxies whose X-Forwarded-For tells the client's address; repeatable [none]")
      ->type_name("CIDR");
  app.add_option("--admin", raw.admin, "GET /healthz, /readyz and /metrics; \"none\" for none")
      ->type_name("ADDR:PORT")
      ->capture_default_str();
  app.add_option("--ready-file", out.ready_file,
                 "write the real addresses there, as JSON, once ready")
      ->type_name("FILE");
  app.add_option("--drain-delay", raw.drain_delay,
                 "at SIGTERM, how long /readyz says 503 before clients are sent away; a second "
                 "SIGTERM ends at once")
      ->type_name("SECONDS")
      ->check(within<double>(0, max_seconds))
      ->capture_default_str();
}

void add_relay(CLI::App& app, options& out, raw_options& raw) {
  const auto in_group = [&](CLI::Option* option, const char* unit) {
    option->type_name(unit)->group("TURN, on the sockets of --stun");
  };
  in_group(app.add_flag("--turn", raw.turn, "embedded TURN server, which is the default"), "");
  in_group(app.add_flag("--no-turn", raw.no_turn, "no embedded TURN server"), "");
  in_group(app.add_option("--external-address", raw.external,
                          "what clients are told to reach this machine and its relayed ports by, "
                          "behind a 1:1 NAT [the address they reached]"),
           "IP");
  in_group(app.add_option("--relay-ports", raw.relay_ports, "UDP ports of relayed addresses")
               ->capture_default_str(),
           "LOW-HIGH");
  in_group(app.add_option("--relay-allow", raw.relay_allow,
                          "peers that may be relayed to although their range is refused by default "
                          "(private, loopback, documentation and so on); repeatable"),
           "CIDR");
  in_group(app.add_option("--relay-deny", raw.relay_deny,
                          "peers that may not be relayed to, whatever else says so; repeatable"),
           "CIDR");
  in_group(app.add_option("--turn-secret-file", raw.secret_file,
                          "file with the secret that mints TURN credentials; or TURN_SECRET in the "
                          "environment, the secret itself [random]"),
           "FILE");
  in_group(app.add_option("--max-allocations", out.max_allocations, "relayed addresses in all")
               ->check(within<std::uint64_t>(0, max_count))
               ->capture_default_str(),
           "N");
  in_group(app.add_option("--max-allocations-per-name", out.max_allocations_per_name,
                          "of one registered name")
               ->check(within<std::uint64_t>(0, max_count))
               ->capture_default_str(),
           "N");
  in_group(app.add_option("--max-allocations-per-address", out.max_allocations_per_address,
                          "of one client's IPv4 address or IPv6 /64")
               ->check(within<std::uint64_t>(0, max_count))
               ->capture_default_str(),
           "N");
}

void add_cluster(CLI::App& app, options& out, raw_options& raw) {
  app.add_option("--cluster", raw.cluster,
                 "share one name space of peers with all servers that use this Redis; rediss:// "
                 "speaks TLS [off]")
      ->type_name("redis[s]://HOST:PORT[/DB]")
      ->envname("SIGNALING_CLUSTER");
  app.add_option("--cluster-user", raw.cluster_user,
                 "a user of that Redis' ACL, with the password below [its default user]")
      ->type_name("NAME")
      ->envname("SIGNALING_CLUSTER_USER");
  app.add_option("--cluster-password-file", raw.cluster_password_file,
                 "file with that Redis' password; or SIGNALING_CLUSTER_PASSWORD in the "
                 "environment, the password itself [none]")
      ->type_name("FILE");
  app.add_option("--cluster-ca", out.cluster_ca,
                 "certificates in PEM, one of which must vouch for that Redis' [the system's]")
      ->type_name("FILE")
      ->envname("SIGNALING_CLUSTER_CA");
}

void add_tls(CLI::App& app, options& out) {
  auto* certificate =
      app.add_option("--tls-cert", out.tls_certificate,
                     "serve wss on every --listen address, and turns there and on those of --stun: "
                     "certificate and chain in PEM; SIGHUP reads it and the key again [off]")
          ->type_name("FILE");
  auto* key = app.add_option("--tls-key", out.tls_key, "its private key in PEM")->type_name("FILE");
  certificate->needs(key);
  key->needs(certificate);
  app.add_option("--tls-name", out.tls_name,
                 "name of this host, covered by the certificate, by which turns: is announced to "
                 "who came by an address that it does not cover [its first without a wildcard]")
      ->type_name("HOST")
      ->needs(certificate);
}

void add_signed_tokens(CLI::App& app, options& out) {
  const auto in_group = [](CLI::Option* option, const char* unit) {
    option->type_name(unit)->group("Signed tokens (JWT), besides or in place of --token-file");
    return option;
  };
  auto* key = in_group(
      app.add_option("--jwt-key", out.jwt_keys,
                     "accept tokens signed with this key: a public key in PEM (RSA: RS256; P-256: "
                     "ES256) or a secret of 32 octets or more (HS256); SIGHUP reads it again; "
                     "repeatable [none]"),
      "FILE");
  in_group(app.add_option("--jwt-audience", out.jwt_audience,
                          "what \"aud\" must name [tokens with an \"aud\" are refused]"),
           "NAME")
      ->needs(key);
  in_group(app.add_option("--jwt-names-claim", out.jwt_names_claim,
                          "the claim that says which names may be taken: a string or a list of "
                          "them, * for anything")
               ->capture_default_str(),
           "CLAIM")
      ->needs(key);
}

void add_limits(CLI::App& app, options& out, raw_options& raw) {
  const auto add = [&](const char* name, auto& value, const char* help, const char* unit) {
    auto* option = app.add_option(name, value, help)
                       ->type_name(unit)
                       ->capture_default_str()
                       ->group("Limits (0 means none)");
    if constexpr (std::is_integral_v<std::remove_reference_t<decltype(value)>>) {
      option->check(within<std::uint64_t>(0, max_count));
    } else {
      option->check(within<double>(0, max_seconds));
    }
  };
  auto& l = out.limits;
  add("--max-connections", l.max_connections, "connections in all", "N");
  add("--max-connections-per-address", l.max_connections_per_address,
      "connections from one IPv4 address or IPv6 /64", "N");
  add("--connections-per-second-per-address", l.connections_per_second_per_address,
      "new ones from one of them; bursts of twenty times that", "N");
  add("--max-message-bytes", l.max_message_bytes, "one message", "N");
  add("--messages-per-second", l.messages_per_second,
      "of one client, each counted once for every 4 KiB begun; bursts of four times that", "N");
  add("--send-queue-bytes", l.send_queue_bytes,
      "what may wait for one client; beyond it others get peer-busy", "N");
  add("--total-queue-bytes", l.total_queue_bytes,
      "what may wait for and from all clients; beyond it those with the most are cut off", "N");
  add("--slow-timeout", raw.slow_timeout,
      "a client whose queue stays full so long, without 64 KiB of it being read, is cut off",
      "SECONDS");
  add("--register-timeout", raw.register_timeout,
      "from the TCP connection to the registration; at most 10 for the first request", "SECONDS");
  add("--idle-timeout", raw.idle_timeout,
      "silence; a ping goes out after half of it or a little less, and a TCP connection for TURN "
      "without an "
      "allocation ends then",
      "SECONDS");
  add("--resume-window", raw.resume_window, "how long a name is held after an unclean end",
      "SECONDS");
}

void add_rest(CLI::App& app, options& out, raw_options& raw) {
  app.add_option("--threads", out.threads, "event loops [number of cores]")
      ->type_name("N")
      ->check(within<std::uint64_t>(1, 256));
  app.add_option("--log-level", out.log_level, "trace, debug, info, warn, error or off")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "critical", "off"}))
      ->capture_default_str();
  app.add_option("--log-format", raw.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_flag("--check-config", out.check_only, "say whether the options are good, and end")
      ->configurable(false);
  app.set_config("--config", "", "read options from a TOML file");
  app.allow_config_extras(CLI::config_extras_mode::error);
  for (auto* o : app.get_options([](const auto* any) { return any->get_expected_min() > 0; })) {
    o->check(not_empty());
  }
}

// Where in the file an option stands that the command line leaves to it: by its name, file:line.
using config_places = std::map<std::string, std::string, std::less<>>;

class config_reader final : public CLI::Config {
 public:
  config_reader(const CLI::App& app, config_places& places) : app_(app), places_(places) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    const auto file = app_.get_config_ptr()->as<std::string>();
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto entries = read_config(text, file, keys());
    if (!entries) throw CLI::ConfigError(entries.error());
    std::vector<CLI::ConfigItem> out;
    for (const auto& e : *entries) {
      out.push_back({.parents = {}, .name = e.name, .inputs = e.values});
      if (app_.get_option("--" + e.name)->empty()) {
        places_[e.name] = file + ':' + std::to_string(e.line);
      }
    }
    return out;
  }

 private:
  [[nodiscard]] std::vector<config_key> keys() const {
    std::vector<config_key> out;
    for (const auto* o : app_.get_options()) {
      if (o->get_configurable()) out.push_back({o->get_lnames().at(0), kind_of(*o)});
    }
    return out;
  }
  static config_key::kind kind_of(const CLI::Option& o) {
    if (o.get_expected_min() == 0) return config_key::kind::flag;
    if (o.get_expected_max() > 1) return config_key::kind::list;
    const auto unit = o.get_type_name();
    return unit == "N" || unit == "SECONDS" ? config_key::kind::number : config_key::kind::text;
  }

  const CLI::App& app_;
  config_places& places_;
};

// The file and line of the first option that the message names, if it stands in a file.
std::string place_of(std::string_view message, const config_places& places) {
  const auto start = message.find("--");
  if (start == message.npos) return {};
  auto name = message.substr(start + 2);
  name = name.substr(0, name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"));
  const auto found = places.find(name);
  return found == places.end() ? "" : found->second + ": ";
}

// CLI11 writes its messages over several lines; one is promised.
std::string one_line(std::string text) {
  for (auto& c : text) {
    if (c == '\n') c = ' ';
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

}  // namespace

std::expected<options, early_exit> read_options(int argc, const char* const* argv) {
  options out;
  raw_options raw;
  config_places places;
  out.threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::App app("Lets peers find each other: forwards offers, answers and candidates between them.",
               "signaling-server");
  app.set_version_flag("--version", "signaling-server " NAT_VERSION);
  app.option_defaults()->always_capture_default(false);
  app.config_formatter(std::make_shared<config_reader>(app, places));
  add_addresses(app, out, raw);
  add_relay(app, out, raw);
  add_tls(app, out);
  add_cluster(app, out, raw);
  add_signed_tokens(app, out);
  add_limits(app, out, raw);
  add_rest(app, out, raw);
  try {
    app.parse(argc, argv);
    interpret(out, raw);
    return out;
  } catch (const CLI::Success& wanted) {  // --help, --version
    std::ostringstream text, ignored;
    app.exit(wanted, text, ignored);
    return std::unexpected(early_exit{0, text.str()});
  } catch (const CLI::Error& wrong) {
    const auto what = one_line(wrong.what());
    return std::unexpected(early_exit{2, "signaling-server: " + place_of(what, places) + what +
                                             " (see signaling-server --help)\n"});
  }
}

}  // namespace nat::signaling::io
