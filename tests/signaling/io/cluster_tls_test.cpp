// A real server on a real Redis through TLS, and what it says of one that it does not believe.

#include "tests/signaling/io/cluster_node.hpp"
#include "tests/signaling/io/hostile_redis.hpp"

namespace nat::test {
namespace {

const std::string away = "warning the cluster is away: ";

std::vector<std::string> trusting(const test_certificate& who, std::vector<std::string> options) {
  options.emplace_back("--cluster-ca");
  options.push_back(who.file());
  return options;
}

// By another name than its address.
std::vector<std::string> under(const std::string& host, const redis_process& redis) {
  auto options = redis.options();
  options[1] = "rediss://" + host + ':' + std::to_string(redis.where().port);
  return options;
}

// What the log says of a Redis that is not believed; nothing of it is used.
void expect_away(const std::vector<std::string>& options, const std::string& why) {
  const node one(options);
  one.wait_for(away + why);
  one.wait_until_away();
  CHECK(code_of_registering(one, "al") == "cluster-unavailable");
}

void expect_refused(const std::vector<std::string>& options, const std::string& verdict) {
  expect_away(options, "Redis' certificate is not accepted (" + verdict +
                           "): check the host in --cluster, and --cluster-ca");
}

TEST_CASE("cluster through TLS: two servers, large messages, and Redis comes back") {
  attempt([] {
    const test_certificate certificate;
    redis_process redis(certificate, {"--tls-auth-clients", "no"});
    const auto options = trusting(certificate, redis.options());
    const node_pair servers(options);
    const auto& [one, two] = servers;
    raw_client al(one.websocket), bob(two.websocket);
    join(al, "al");
    join(bob, "bob");
    const std::string large(60'000, 'v');  // several records
    for (int i = 0; i < 20; ++i) {
      servers.converse(al, "al", bob, "bob");
      al.say(offer("bob", large));
      const auto heard = servers.hear(bob, al);
      CHECK(field(heard, "sdp") == large);
    }
    redis.kill();
    one.wait_until_away();
    redis.start();
    servers.wait_until_ready();
    servers.converse(bob, "bob", al, "al");
  });
}

TEST_CASE("cluster through TLS: by name, on each version of it") {
  attempt([] {
    const test_certificate certificate("DNS:localhost");
    for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
      const redis_process redis(certificate,
                                {"--tls-auth-clients", "no", "--tls-protocols", version});
      const node one(trusting(certificate, under("localhost", redis)));
      one.wait_until_ready();
      check_code(code_of_registering(one, "al"), "");
    }
  });
}

TEST_CASE("cluster through TLS: a certificate for another name or address, or of a stranger") {
  const test_certificate certificate("DNS:redis.test,IP:127.0.0.2"), stranger;
  const redis_process redis(certificate, {"--tls-auth-clients", "no"});
  expect_refused(trusting(certificate, redis.options()), "IP address mismatch");
  expect_refused(trusting(certificate, under("localhost", redis)), "hostname mismatch");
  expect_refused(trusting(stranger, redis.options()), "self-signed certificate");
  expect_refused(redis.options(), "self-signed certificate");  // the system's
}

TEST_CASE("cluster through TLS: a Redis that wants a certificate of its clients") {
  const test_certificate certificate;
  const redis_process redis(certificate, {"--tls-auth-clients", "yes"});
  expect_away(trusting(certificate, redis.options()),
              "TLS with Redis failed: tlsv13 alert certificate required");
}

TEST_CASE("cluster through TLS: where none is spoken") {
  const test_certificate certificate;
  SUBCASE("by a Redis, which waits for the end of a line") {
    const redis_process redis;
    expect_away(trusting(certificate, under("127.0.0.1", redis)),
                "Redis can't be reached, or speaks no TLS there");
  }
  SUBCASE("by what answers at once") {
    const reserved_port port;
    const hostile_redis other(port.where(), {"-ERR unknown command\r\n"});
    expect_away(trusting(certificate, {"--cluster", "rediss://" + to_string(port.where())}),
                "what answers speaks no TLS: use redis://, or the port where Redis does");
  }
  SUBCASE("by what ends at once") {
    const reserved_port port;
    const hostile_redis other(port.where(), {{}, {}, true});
    expect_away(trusting(certificate, {"--cluster", "rediss://" + to_string(port.where())}),
                "the connection ended");
  }
}

}  // namespace
}  // namespace nat::test
