#include "signaling/io/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>

namespace nat::signaling::io {

namespace {

struct raw_options {
  std::vector<std::string> listen, stun, proxies, relay_allow, relay_deny, alternates;
  std::string external, admin = "127.0.0.1:9090", format = "text", secret_file,
                        relay_ports = "49152-65535";
  bool no_stun = false, turn = false, no_turn = false;
  double register_timeout = 10, idle_timeout = 60, resume_window = 30;
  std::string cluster, cluster_password_file;
};

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
  app.add_option("--allow-origin", out.allowed_origins,
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
               ->capture_default_str(),
           "N");
  in_group(app.add_option("--max-allocations-per-name", out.max_allocations_per_name,
                          "of one registered name")
               ->capture_default_str(),
           "N");
  in_group(app.add_option("--max-allocations-per-address", out.max_allocations_per_address,
                          "of one client's IPv4 address or IPv6 /64")
               ->capture_default_str(),
           "N");
}

void add_cluster(CLI::App& app, raw_options& raw) {
  app.add_option("--cluster", raw.cluster,
                 "share one name space of peers with all servers that use this Redis [off]")
      ->type_name("redis://HOST:PORT[/DB]")
      ->envname("SIGNALING_CLUSTER");
  app.add_option("--cluster-password-file", raw.cluster_password_file,
                 "file with that Redis' password; or SIGNALING_CLUSTER_PASSWORD in the "
                 "environment, the password itself [none]")
      ->type_name("FILE");
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
    app.add_option(name, value, help)
        ->type_name(unit)
        ->capture_default_str()
        ->group("Limits (0 means none)");
  };
  auto& l = out.limits;
  add("--max-connections", l.max_connections, "connections in all", "N");
  add("--max-connections-per-address", l.max_connections_per_address,
      "connections from one IPv4 address or IPv6 /64", "N");
  add("--connections-per-second-per-address", l.connections_per_second_per_address,
      "new ones from one of them; bursts of twenty times that", "N");
  add("--max-message-bytes", l.max_message_bytes, "one message", "N");
  add("--messages-per-second", l.messages_per_second, "of one client; bursts of four times that",
      "N");
  add("--send-queue-bytes", l.send_queue_bytes, "what may wait for one client", "N");
  add("--register-timeout", raw.register_timeout,
      "from the TCP connection to the registration; at most 10 for the first request", "SECONDS");
  add("--idle-timeout", raw.idle_timeout,
      "silence; a ping goes out after half of it, and a TCP connection for TURN without an "
      "allocation ends then",
      "SECONDS");
  add("--resume-window", raw.resume_window, "how long a name is held after an unclean end",
      "SECONDS");
}

void add_rest(CLI::App& app, options& out, raw_options& raw) {
  app.add_option("--threads", out.threads, "event loops [number of cores]")
      ->type_name("N")
      ->check(CLI::Range(1U, 256U));
  app.add_option("--log-level", out.log_level, "trace, debug, info, warn, error or off")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "critical", "off"}))
      ->capture_default_str();
  app.add_option("--log-format", raw.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_flag("--check-config", out.check_only, "say whether the options are good, and end");
  app.set_config("--config", "", "read options from a TOML file");
  app.allow_config_extras(CLI::config_extras_mode::error);
}

endpoint endpoint_from(const std::string& option, const std::string& text) {
  if (const auto parsed = parse_endpoint(text)) return *parsed;
  throw CLI::ValidationError(option, "\"" + text +
                                         "\" is not an address and port such as 192.0.2.1:8080 or "
                                         "[2001:db8::1]:8080");
}

std::chrono::milliseconds seconds_from(const char* option, double seconds) {
  if (!(seconds >= 0 && seconds <= 1e6)) {
    throw CLI::ValidationError(option, "must be a number of seconds from 0 to 1000000");
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

void check_rate(const char* option, double per_second) {
  if (!(per_second >= 0)) throw CLI::ValidationError(option, "must be 0 or more");
}

std::string secret_from(const char* option, const std::string& file, const char* variable) {
  if (file.empty()) {
    const char* given = std::getenv(variable);
    return given ? given : "";
  }
  std::ifstream in(file, std::ios::binary);
  std::stringstream content;
  if (!in || !(content << in.rdbuf())) {
    throw CLI::ValidationError(option, "failed to read a secret from " + file);
  }
  auto secret = content.str();
  secret.erase(secret.find_last_not_of(" \t\r\n") + 1);
  if (secret.empty()) throw CLI::ValidationError(option, file + " holds no secret");
  return secret;
}

void check_url(const std::string& url) {
  for (const std::string_view scheme : {"stun:", "stuns:", "turn:", "turns:"}) {
    if (url.starts_with(scheme) && url.size() > scheme.size()) return;
  }
  throw CLI::ValidationError("--ice-server", "\"" + url + "\" is not a stun: or turn: URL");
}

std::vector<turn::prefix> prefixes_from(const char* option, const std::vector<std::string>& all) {
  std::vector<turn::prefix> out;
  for (const auto& text : all) {
    const auto prefix = turn::parse_prefix(text);
    if (!prefix) {
      throw CLI::ValidationError(
          option, "\"" + text + "\" is not a CIDR prefix such as 192.0.2.0/24 or 2001:db8::/32");
    }
    out.push_back(*prefix);
  }
  return out;
}

std::optional<std::uint16_t> port_from(std::string_view text) {
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || stop != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// RFC 5780, 4.1 and 6: another address and another port than the primary's, which has to be known.
void interpret_alternates(options& out, const raw_options& raw) {
  constexpr auto option = "--stun-alternate";
  std::array<bool, 2> seen{};
  for (const auto& text : raw.alternates) {
    const auto alternate = endpoint_from(option, text);
    if (std::exchange(seen[alternate.ip.v4 ? 0 : 1], true)) {
      throw CLI::ValidationError(option, "is taken once for IPv4 and once for IPv6");
    }
    const auto primary = std::ranges::find_if(out.stun, [&](const endpoint& e) {
      return e.ip.v4 == alternate.ip.v4 && !is_unspecified(e.ip);
    });
    if (primary == out.stun.end()) {
      throw CLI::ValidationError(option,
                                 "needs the first address by name: --stun ADDR:PORT with an "
                                 "address of the same family, not a wildcard");
    }
    if (is_unspecified(alternate.ip) || alternate.ip == primary->ip ||
        (alternate.port == primary->port && alternate.port != 0)) {
      throw CLI::ValidationError(
          option, "must differ from " + to_string(*primary) + " in address and in port");
    }
    if (out.external_address) {
      throw CLI::ValidationError(option,
                                 "can't be had behind --external-address: clients would be "
                                 "told addresses that they can't reach");
    }
    out.stun_alternate.push_back(alternate);
  }
}

void interpret_relay(options& out, const raw_options& raw) {
  if (raw.turn && raw.no_turn) throw CLI::ValidationError("--no-turn", "contradicts --turn");
  if (raw.turn && raw.no_stun) {
    throw CLI::ValidationError("--turn", "needs the sockets of --stun, which --no-stun takes away");
  }
  out.turn = !raw.no_turn && !raw.no_stun;
  const std::string_view ports = raw.relay_ports;
  const auto dash = ports.find('-');
  const auto low = port_from(ports.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : port_from(ports.substr(dash + 1));
  if (!low || !high || *low > *high) {
    throw CLI::ValidationError("--relay-ports", "\"" + raw.relay_ports +
                                                    "\" is not a range of ports such as "
                                                    "49152-65535");
  }
  out.relay_low = *low;
  out.relay_high = *high;
  out.relay_allow = prefixes_from("--relay-allow", raw.relay_allow);
  out.relay_deny = prefixes_from("--relay-deny", raw.relay_deny);
}

void interpret_cluster(options& out, const raw_options& raw) {
  if (!raw.cluster.empty()) {
    const auto url = parse_cluster_url(raw.cluster);
    if (!url) throw CLI::ValidationError("--cluster", url.error());
    out.cluster = *url;
  }
  out.cluster_password = secret_from("--cluster-password-file", raw.cluster_password_file,
                                     "SIGNALING_CLUSTER_PASSWORD");
}

void interpret(options& out, const raw_options& raw) {
  out.listen_given = !raw.listen.empty();
  out.stun_given = !raw.stun.empty();
  const std::vector<std::string> ws{"0.0.0.0:8080", "[::]:8080"}, stun{"0.0.0.0:3478", "[::]:3478"};
  for (const auto& text : out.listen_given ? raw.listen : ws) {
    out.listen.push_back(endpoint_from("--listen", text));
  }
  if (raw.no_stun && out.stun_given) {
    throw CLI::ValidationError("--no-stun", "contradicts --stun");
  }
  if (!raw.no_stun) {
    for (const auto& text : out.stun_given ? raw.stun : stun) {
      out.stun.push_back(endpoint_from("--stun", text));
    }
  }
  if (raw.admin != "none") out.admin = endpoint_from("--admin", raw.admin);
  if (!raw.external.empty()) {
    out.external_address = parse_address(raw.external);
    if (!out.external_address) {
      throw CLI::ValidationError("--external-address",
                                 "\"" + raw.external + "\" is not an address");
    }
  }
  out.trusted_proxies = prefixes_from("--trusted-proxy", raw.proxies);
  interpret_relay(out, raw);
  interpret_alternates(out, raw);
  for (const auto& url : out.ice_servers) check_url(url);
  out.turn_secret = secret_from("--turn-secret-file", raw.secret_file, "TURN_SECRET");
  interpret_cluster(out, raw);
  if (const char* tokens = std::getenv("SIGNALING_TOKENS")) out.tokens = tokens;
  out.format = raw.format == "json" ? log_format::json : log_format::text;
  check_rate("--messages-per-second", out.limits.messages_per_second);
  check_rate("--connections-per-second-per-address", out.limits.connections_per_second_per_address);
  out.limits.register_timeout = seconds_from("--register-timeout", raw.register_timeout);
  out.limits.idle_timeout = seconds_from("--idle-timeout", raw.idle_timeout);
  out.limits.resume_window = seconds_from("--resume-window", raw.resume_window);
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
  out.threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::App app("Lets peers find each other: forwards offers, answers and candidates between them.",
               "signaling-server");
  app.set_version_flag("--version", "signaling-server " NAT_VERSION);
  app.option_defaults()->always_capture_default(false);
  add_addresses(app, out, raw);
  add_relay(app, out, raw);
  add_tls(app, out);
  add_cluster(app, raw);
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
    return std::unexpected(early_exit{
        2, "signaling-server: " + one_line(wrong.what()) + " (see signaling-server --help)\n"});
  }
}

}  // namespace nat::signaling::io
