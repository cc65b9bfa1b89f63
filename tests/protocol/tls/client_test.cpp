// The client's end of TLS against the server's, in memory: above all, whom it does not believe.

#include "protocol/tls/client_context.hpp"

#include "tests/protocol/tls/memory_client.hpp"

namespace nat::test {
namespace {

using tls::failure;
using tls::state;

tls::client_context client_of(const std::string& server, const std::string& trusted) {
  auto made = tls::client_context::make(server, trusted);
  REQUIRE_MESSAGE(made.has_value(), made.error());
  return std::move(*made);
}

void exchange(memory_end& client, memory_end& server, std::size_t step = SIZE_MAX) {
  while (!client.out.empty() || !server.out.empty()) {
    server.take(std::exchange(client.out, {}), step);
    client.take(std::exchange(server.out, {}), step);
  }
}

// How a client that wants `server` and trusts `trusted` ends with who shows `shown`: "" is well.
std::string verdict(const test_certificate& shown, const std::string& server,
                    std::optional<std::string> trusted = std::nullopt) {
  const auto to = context_of(shown);
  const auto made = tls::client_context::make(server, trusted);
  REQUIRE(made);
  memory_end client(*made), end(to);
  exchange(client, end);
  if (client.connection.state() == state::connected) return "";
  CHECK(client.connection.state() == state::failed);
  CHECK(client.connection.why() == failure::certificate);
  CHECK(end.connection.state() == state::failed);  // by the alert
  CHECK_FALSE(client.connection.write(as_bytes("secret"), client.out));
  CHECK(client.out.empty());
  return client.connection.detail();
}

TEST_CASE("client: a handshake, and data both ways, whatever the reads cut") {
  const test_certificate certificate;
  const auto to = context_of(certificate);
  const auto from = client_of("stun.test", certificate.certificate_pem());
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
    memory_end client(from), server(to);
    exchange(client, server, step);
    CHECK(client.connection.state() == state::connected);
    CHECK(server.connection.state() == state::connected);
    const std::string large(100'000, 'x');
    CHECK(client.connection.write(as_bytes("up" + large), client.out));
    CHECK(server.connection.write(as_bytes("down" + large), server.out));
    exchange(client, server, step);
    CHECK(server.heard == "up" + large);
    CHECK(client.heard == "down" + large);
    server.connection.close(server.out);
    exchange(client, server, step);
    CHECK(client.connection.state() == state::closed);
  }
}

TEST_CASE("client: the certificate must be for the name, or the address, that is wanted") {
  const test_certificate both, wildcard("DNS:*.redis.test,DNS:f*.part.test"),
      nobody("IP:127.0.0.2"), six("IP:2001:db8::1");
  struct row {
    const test_certificate& shown;
    const char* server;
    std::string told{};
  };
  const std::string no_name = "hostname mismatch", no_address = "IP address mismatch";
  for (const auto& [shown, server, told] : std::initializer_list<row>{
           {both, "stun.test"},
           {both, "STUN.test"},
           {both, "stun.test."},
           {both, "127.0.0.1"},
           {both, "a.stun.test", no_name},
           {both, "test", no_name},
           {both, "other.test", no_name},
           {both, "127.0.0.2", no_address},
           {both, "::1", no_address},
           {six, "2001:db8::1"},
           {six, "2001:db8:0::0:1"},
           {wildcard, "a.redis.test"},
           {wildcard, "a.b.redis.test", no_name},
           {wildcard, "redis.test", no_name},
           {wildcard, "foo.part.test", no_name},
           {nobody, "a test", no_name},  // its subject's common name
       }) {
    CHECK_MESSAGE(verdict(shown, server, shown.certificate_pem()) == told, std::string(server));
  }
}

TEST_CASE("client: somebody who is trusted must vouch for the certificate") {
  const test_certificate root, stranger, issued("DNS:stun.test", &root),
      other("DNS:stun.test", &stranger);
  CHECK(verdict(root, "stun.test", root.certificate_pem()) == "");
  CHECK(verdict(issued, "stun.test", root.certificate_pem()) == "");
  CHECK(verdict(issued, "stun.test", other.certificate_pem() + root.certificate_pem()) == "");
  CHECK(verdict(issued, "stun.test", issued.certificate_pem()) == "");  // no root
  CHECK(verdict(issued, "stun.test", other.certificate_pem()) != "");
  CHECK(verdict(root, "stun.test", stranger.certificate_pem()) != "");
  CHECK(verdict(root, "stun.test", issued.certificate_pem()) != "");
  CHECK(verdict(issued, "stun.test", stranger.certificate_pem()) != "");
  // The system's.
  CHECK(verdict(root, "stun.test") == "self-signed certificate");
  CHECK(verdict(issued, "stun.test") == "unable to get local issuer certificate");
}

TEST_CASE("client: what is no TLS is told apart") {
  const test_certificate certificate;
  const auto from = client_of("stun.test", certificate.certificate_pem());
  for (const char* answer : {"-ERR unknown command\r\n", "+PONG\r\n", "HTTP/1.1 400 Bad\r\n"}) {
    memory_end client(from);
    CHECK_FALSE(client.out.empty());
    client.take(answer);
    CHECK(client.connection.state() == state::failed);
    CHECK_MESSAGE(client.connection.why() == failure::not_tls, std::string(answer));
  }
}

TEST_CASE("client: what there is nobody to trust by, or no name to ask for, is refused") {
  const test_certificate certificate;
  const auto pem = certificate.certificate_pem();
  for (const auto& trusted : {std::string(), std::string("no PEM"), certificate.key_pem(),
                              pem.substr(0, pem.size() / 2), pem + pem.substr(0, pem.size() / 2)}) {
    const auto made = tls::client_context::make("stun.test", trusted);
    REQUIRE_FALSE(made);
    CHECK(made.error().starts_with("read certificates in PEM there ("));
  }
  for (const auto& server : {std::string(), std::string("."), std::string(256, 'x')}) {
    const auto made = tls::client_context::make(server, pem);
    REQUIRE_FALSE(made);
    CHECK(made.error() == "take \"" + server + "\" for the name of a host");
  }
}

}  // namespace
}  // namespace nat::test
