#include "signaling/io/raw_options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <utility>

#include <CLI/Error.hpp>

#include "signaling/hub/origin.hpp"

namespace nat::signaling::io {

namespace {

endpoint endpoint_from(const std::string& option, const std::string& text) {
  if (const auto parsed = parse_endpoint(text)) return *parsed;
  throw CLI::ValidationError(option, "\"" + text +
                                         "\" is not an address and port such as 192.0.2.1:8080 or "
                                         "[2001:db8::1]:8080");
}

// Upwards, as zero would be no limit.
std::chrono::milliseconds seconds_from(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
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

std::vector<std::string> origins_from(const std::vector<std::string>& all) {
  std::vector<std::string> out;
  for (const auto& text : all) {
    auto origin = hub::canonical_origin(text);
    if (!origin) {
      throw CLI::ValidationError("--allow-origin", '"' + text + "\" " + origin.error());
    }
    out.push_back(std::move(*origin));
  }
  return out;
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
  if (!out.cluster_ca.empty() && !(out.cluster && out.cluster->tls)) {
    throw CLI::ValidationError("--cluster-ca", "needs --cluster rediss://HOST");
  }
  out.cluster_password = secret_from("--cluster-password-file", raw.cluster_password_file,
                                     "SIGNALING_CLUSTER_PASSWORD");
  out.cluster_user = raw.cluster_user;
  if (!out.cluster_user.empty() && out.cluster_password.empty()) {
    throw CLI::ValidationError("--cluster-user",
                               "needs --cluster-password-file or SIGNALING_CLUSTER_PASSWORD");
  }
}

}  // namespace

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
  out.allowed_origins = origins_from(raw.origins);
  out.trusted_proxies = prefixes_from("--trusted-proxy", raw.proxies);
  interpret_relay(out, raw);
  interpret_alternates(out, raw);
  for (const auto& url : out.ice_servers) check_url(url);
  out.turn_secret = secret_from("--turn-secret-file", raw.secret_file, "TURN_SECRET");
  interpret_cluster(out, raw);
  if (const char* tokens = std::getenv("SIGNALING_TOKENS")) out.tokens = tokens;
  out.format = raw.format == "json" ? log_format::json : log_format::text;
  out.drain_delay = seconds_from(raw.drain_delay);
  out.limits.register_timeout = seconds_from(raw.register_timeout);
  out.limits.idle_timeout = seconds_from(raw.idle_timeout);
  out.limits.resume_window = seconds_from(raw.resume_window);
  out.limits.slow_timeout = seconds_from(raw.slow_timeout);
}

}  // namespace nat::signaling::io
