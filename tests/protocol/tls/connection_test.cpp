// The server's end of TLS against OpenSSL's client, in memory.

#include "protocol/tls/connection.hpp"

#include <malloc.h>

#include "tests/protocol/tls/memory_client.hpp"

namespace nat::test {
namespace {

// What OpenSSL holds, in octets.
std::ptrdiff_t held = 0;

void* allocate(std::size_t size, const char*, int) {
  void* p = std::malloc(size);
  held += static_cast<std::ptrdiff_t>(::malloc_usable_size(p));
  return p;
}
void release(void* p, const char*, int) {
  held -= static_cast<std::ptrdiff_t>(::malloc_usable_size(p));
  std::free(p);
}
void* reallocate(void* old, std::size_t size, const char*, int) {
  held -= static_cast<std::ptrdiff_t>(::malloc_usable_size(old));
  void* p = std::realloc(old, size);
  held += static_cast<std::ptrdiff_t>(::malloc_usable_size(p));
  return p;
}
// Before OpenSSL's first allocation, or it refuses.
const bool counted = CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;

using tls::failure;
using tls::state;

std::string alpn_of(const memory_client& client) {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(client.ssl(), &chosen, &size);
  return {reinterpret_cast<const char*>(chosen), size};
}

// The server's first octets, where they are an alert in the clear: its description.
int alert_of(const std::string& out) {
  return out.size() == 7 && out[0] == 21 ? static_cast<unsigned char>(out[6]) : -1;
}

TEST_CASE("both versions, whatever the reads cut: a handshake, and data both ways") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
      memory_client client({.version = version});
      memory_server server(context);
      exchange(client, server, step);
      CHECK(server.connection.state() == state::connected);
      CHECK(SSL_version(client.ssl()) == version);
      const std::string large(100'000, 'x');
      client.say("up" + large);
      exchange(client, server, step);
      CHECK(server.heard == "up" + large);
      CHECK(server.connection.write(as_bytes("down" + large), server.out));
      exchange(client, server, step);
      CHECK(client.heard == "down" + large);
    }
  }
}

TEST_CASE("data that comes with the handshake's last message is read at once") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_client client;
  memory_server server(context);
  client.run();
  server.take(client.take());
  client.give(std::exchange(server.out, {}));
  client.run();
  client.say("early bird");
  server.take(client.take());
  CHECK(server.connection.state() == state::connected);
  CHECK(server.heard == "early bird");
}

TEST_CASE("a session is taken up again by its ticket") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    memory_client first({.version = version});
    memory_server server(context);
    exchange(first, server);
    CHECK_FALSE(server.connection.resumed());
    const std::unique_ptr<SSL_SESSION, freed_by<SSL_SESSION_free>> ticket(
        SSL_get1_session(first.ssl()));
    memory_client second({.version = version, .session = ticket.get()});
    memory_server again(context);
    exchange(second, again);
    CHECK(again.connection.state() == state::connected);
    CHECK(again.connection.resumed());
    // Another context has other keys: a whole handshake.
    const auto other = context_of(certificate);
    memory_client third({.version = version, .session = ticket.get()});
    memory_server elsewhere(other);
    exchange(third, elsewhere);
    CHECK(elsewhere.connection.state() == state::connected);
    CHECK_FALSE(elsewhere.connection.resumed());
  }
}

TEST_CASE("an idle connection holds less than a record's buffer, all of OpenSSL's memory counted") {
  REQUIRE(counted);
  const test_certificate certificate;
  const auto context = context_of(certificate);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    memory_client warming_up({.version = version});
    memory_server first(context);
    exchange(warming_up, first);
    const auto before = held;
    auto client = std::make_unique<memory_client>(memory_client::options{.version = version});
    memory_server server(context);
    exchange(*client, server);
    client->say(std::string(20'000, 'x'));
    exchange(*client, server);
    CHECK(server.connection.write(as_bytes(std::string(20'000, 'y')), server.out));
    exchange(*client, server);
    client.reset();  // gives back all that is its own
    CHECK(held > before);
    CHECK(held - before < 16'384);
  }
}

TEST_CASE("what a connection holds while it shakes hands, and of half a record, is told") {
  REQUIRE(counted);
  const test_certificate certificate;
  const auto context = context_of(certificate);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    memory_client client({.version = version});
    memory_server server(context);
    client.run();
    const auto hello = client.take();
    server.take(hello.substr(0, hello.size() / 2));
    CHECK(server.connection.held() > 2 * tls::max_record);
    server.take(hello.substr(hello.size() / 2));
    client.give(std::exchange(server.out, {}));
    exchange(client, server);
    CHECK(server.connection.held() == 0);
    const auto connected = held;
    CHECK(server.connection.write(as_bytes(std::string("x")), server.out));
    CHECK(held == connected);  // no buffer that only the next write would have given back
    client.say(std::string(10'000, 'x'));
    const auto record = client.take();
    const auto before = held;
    server.take(record.substr(0, 5'000));
    const auto grown = held - before;
    CHECK(grown > static_cast<std::ptrdiff_t>(tls::max_record));
    const auto told = static_cast<std::ptrdiff_t>(server.connection.held());
    CHECK(std::abs(told - grown) < 1'024);
    server.take(record.substr(5'000));
    CHECK(server.heard.size() == 10'000);
    CHECK(server.connection.held() == 0);
    CHECK(held == before);
  }
}

TEST_CASE("TLS 1.1 and ciphers without forward secrecy are refused by an alert") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_server old(context);
  memory_client ancient({.version = TLS1_1_VERSION});
  ancient.run();
  old.take(ancient.take());
  CHECK(old.connection.state() == state::failed);
  CHECK(old.connection.why() == failure::protocol);
  CHECK(alert_of(old.out) == SSL_AD_PROTOCOL_VERSION);
  memory_server weak(context);
  memory_client rsa({.version = TLS1_2_VERSION, .ciphers = "AES128-SHA"});
  rsa.run();
  weak.take(rsa.take());
  CHECK(weak.connection.why() == failure::protocol);
  CHECK(alert_of(weak.out) == SSL_AD_HANDSHAKE_FAILURE);
}

TEST_CASE("what is no TLS is told apart, and answered with nothing") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  for (const std::string_view text : {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                      "CONNECT x:1 HTTP/1.1\r\n\r\n", "\x01\x02garbage....."}) {
    memory_server server(context);
    server.take(text);
    CHECK(server.connection.state() == state::failed);
    CHECK(server.connection.why() == (text.contains("HTTP") ? failure::http : failure::not_tls));
    CHECK(server.out.empty());
    server.take("more of it");  // is not even looked at
    CHECK(server.heard.empty());
  }
}

TEST_CASE("a record that was changed on its way ends the connection with an alert") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_client client;
  memory_server server(context);
  exchange(client, server);
  client.say("the truth");
  auto octets = client.take();
  octets.back() = static_cast<char>(octets.back() ^ 1);
  server.take(octets);
  CHECK(server.connection.why() == failure::protocol);
  CHECK(server.heard.empty());
  CHECK(server.out.size() > 7);  // an encrypted alert
  CHECK_FALSE(server.connection.write(as_bytes("x"), server.out));
}

TEST_CASE("records that were never read are missed by those that follow") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_client client;
  memory_server server(context);
  exchange(client, server);
  client.say("first");
  const auto octets = client.take();
  server.connection.feed(as_bytes(octets));
  server.take(octets);
  CHECK(server.connection.state() == state::failed);
  CHECK(server.heard.empty());
}

TEST_CASE("a record that claims to be larger than any is refused by its header") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_server fresh(context);
  fresh.take(std::string("\x16\x03\x01\xff\xff", 5));
  CHECK(fresh.connection.state() == state::failed);
  memory_client client;
  memory_server server(context);
  exchange(client, server);
  server.take(std::string("\x17\x03\x03\x48\x00", 5));
  CHECK(server.connection.state() == state::failed);
}

TEST_CASE("ALPN: http/1.1 before stun.turn, nothing without being asked, no common one is fatal") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  const auto choose = [&](std::string_view offered) {
    memory_client client({.alpn = offered});
    memory_server server(context);
    exchange(client, server);
    return server.connection.state() == state::connected ? alpn_of(client) : "refused";
  };
  CHECK(choose("\x02h2\x08http/1.1") == "http/1.1");
  CHECK(choose("\x09stun.turn\x08http/1.1") == "http/1.1");
  CHECK(choose("\x09stun.turn") == "stun.turn");
  CHECK(choose({}).empty());
  CHECK(choose("\x02h2") == "refused");
}

TEST_CASE("renegotiation is declined, and the connection goes on") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_client client({.version = TLS1_2_VERSION});
  memory_server server(context);
  exchange(client, server);
  SSL_renegotiate(client.ssl());
  SSL_do_handshake(client.ssl());
  const auto hello = client.take();
  REQUIRE_FALSE(hello.empty());
  server.take(hello);
  CHECK(server.connection.state() == state::connected);
  CHECK(server.out.size() > 7);  // the alert no_renegotiation
  CHECK(server.connection.write(as_bytes("still here"), server.out));
}

TEST_CASE("records without data are counted: too many end the connection, within one read") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_client client;
  memory_server server(context);
  exchange(client, server);
  std::string updates;
  for (unsigned i = 0; i < 2 * tls::connection::max_control_records; ++i) {
    REQUIRE(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(client.ssl()) == 1);
    updates += client.take();
  }
  server.take(updates);
  CHECK(server.connection.state() == state::failed);
  CHECK(server.connection.why() == failure::flood);
  CHECK(server.out.size() < 100 * tls::connection::max_control_records);
}

TEST_CASE("a handshake that goes on and on is cut short") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_server server(context);
  // One ClientHello of 65,536 octets, in records of 256, which OpenSSL would wait for.
  std::string record("\x16\x03\x01\x01\x00\x01\x00\xff\xfc\x03\x03", 11);
  record.resize(5 + 256, 'r');
  std::size_t sent = 0;
  while (server.connection.state() == state::handshaking && sent < 100'000) {
    server.take(record);
    sent += record.size();
    record.replace(5, 256, 256, 'r');
  }
  CHECK(server.connection.state() == state::failed);
  CHECK(sent <= tls::connection::max_handshake + 2 * 261);
}

TEST_CASE("close_notify: theirs is an orderly end, ours is the last word") {
  const test_certificate certificate;
  const auto context = context_of(certificate);
  memory_client client;
  memory_server server(context);
  exchange(client, server);
  SSL_shutdown(client.ssl());
  server.take(client.take());
  CHECK(server.connection.state() == state::closed);
  server.connection.close(server.out);
  CHECK_FALSE(server.out.empty());
  memory_client other;
  memory_server leaving(context);
  exchange(other, leaving);
  leaving.connection.close(leaving.out);
  other.give(leaving.out);
  other.run();
  CHECK((SSL_get_shutdown(other.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

TEST_CASE("a context knows whom its certificate is for") {
  const test_certificate certificate;
  const auto subject = context_of(certificate).is_for();
  CHECK(subject.names == std::vector<std::string>{"stun.test"});
  CHECK(subject.addresses == std::vector{*parse_address("127.0.0.1")});
  CHECK(context_of(certificate).covers("stun.test"));
  CHECK_FALSE(context_of(certificate).covers("a test"));  // its subject
  const auto wildcard = context_of(test_certificate("DNS:*.example.net"));
  CHECK(wildcard.is_for().names.empty());
  CHECK(wildcard.covers("signal.example.net"));
  CHECK_FALSE(wildcard.covers("example.net"));
  CHECK_FALSE(wildcard.covers("a.signal.example.net"));
}

TEST_CASE("a context says what is wrong with its certificate or key") {
  const test_certificate certificate, other;
  const auto error = [](std::string_view pem, std::string_view key) {
    const auto made = tls::server_context::make(pem, key);
    return made ? "none" : made.error();
  };
  CHECK(error(certificate.certificate_pem(), certificate.key_pem()) == "none");
  CHECK(error(certificate.certificate_pem() + other.certificate_pem(), certificate.key_pem()) ==
        "none");  // a chain
  CHECK(error("", certificate.key_pem()).contains("find a certificate"));
  CHECK(
      error("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", certificate.key_pem())
          .contains("certificate"));
  CHECK(error(certificate.certificate_pem(), "").contains("find a private key"));
  CHECK(error(certificate.certificate_pem(), other.key_pem()).contains("with this certificate"));
  std::string many = certificate.certificate_pem();
  for (int i = 0; i < 20; ++i) many += other.certificate_pem();
  CHECK(error(many, certificate.key_pem()).contains("more than 16"));
}

}  // namespace
}  // namespace nat::test
