// --cluster: what is taken, and what is said of the rest.

#include "signaling/io/cluster_options.hpp"

#include <algorithm>
#include <vector>

#include "tests/certificate.hpp"
#include "tests/check.hpp"
#include "tests/signaling/io/server_process.hpp"

namespace nat::test {
namespace {

using signaling::io::parse_cluster_url;

TEST_CASE("--cluster: every good form") {
  struct row {
    std::string_view url, host;
    std::uint16_t port = 6379;
    unsigned database = 0;
    bool tls = false;
  };
  for (const auto& [url, host, port, database, tls] : std::vector<row>{
           {"redis://redis", "redis"},
           {"redis://redis/", "redis"},
           {"redis://redis.example.net:6380", "redis.example.net", 6380},
           {"redis://redis_1-a.example.net:65535/", "redis_1-a.example.net", 65'535},
           {"redis://192.0.2.1/15", "192.0.2.1", 6379, 15},
           {"redis://192.0.2.1:1/0", "192.0.2.1", 1},
           {"redis://[2001:db8::1]", "2001:db8::1"},
           {"redis://[2001:db8::1]:6379/1", "2001:db8::1", 6379, 1},
           {"redis://[::ffff:192.0.2.1]/", "::ffff:192.0.2.1"},
           {"rediss://redis", "redis", 6379, 0, true},
           {"rediss://[2001:db8::1]:6380/1", "2001:db8::1", 6380, 1, true},
       }) {
    CAPTURE(url);
    const auto got = parse_cluster_url(url);
    REQUIRE(got);
    CHECK(got->host == host);
    CHECK(got->port == port);
    CHECK(got->database == database);
    CHECK(got->tls == tls);
  }
}

TEST_CASE("--cluster: every bad form, and that the program ends with it: status 2, one line") {
  const std::string_view form = "redis://192.0.2.1:6379", password = "--cluster-password-file";
  struct row {
    std::string_view url, told;
  };
  for (const auto& [url, told] : std::vector<row>{
           {"redis", form},
           {"192.0.2.1:6379", form},
           {"redis:/192.0.2.1", form},
           {"http://192.0.2.1", form},
           {"unix:///run/redis.sock", form},
           {"redis://", form},
           {"redis:///1", form},
           {"redis://:6379", form},
           {"redis://host:", form},
           {"redis://host:0", form},
           {"redis://host:65536", form},
           {"redis://host:-1", form},
           {"redis://host:+1", form},
           {"redis://host:port", form},
           {"redis://host:1:2", form},
           {"redis://ho st", form},
           {"redis://host ", form},
           {"redis://host#1", form},
           {"redis://host?db=1", form},
           {"redis://host?password=hunter2", form},
           {"redis://2001:db8::1", form},
           {"redis://[2001:db8::1", form},
           {"redis://2001:db8::1]", form},
           {"redis://[2001:db8::1]1:6379", form},
           {"redis://[fe80::1%eth0]", form},
           {"redis://[]", form},
           {"redis://[host]", form},
           {"redis://[192.0.2.1]", form},
           {"redis://host/one", form},
           {"redis://host/-1", form},
           {"redis://host/1/", form},
           {"redis://host/4294967296", form},
           {"redis://host,other", form},
           {"redis://:hunter2@host", password},
           {"redis://user:hunter2@host:6379/1", password},
           {"rediss://:hunter2@host", password},
           {"rediss://", form},
           {"redisss://host", form},
       }) {
    CAPTURE(url);
    const auto got = parse_cluster_url(url);
    REQUIRE_FALSE(got);
    CHECK(got.error().contains(told));
    CHECK_FALSE(got.error().contains("hunter2"));
    const auto ended = run_server({"--cluster", std::string(url)});
    CHECK(ended.status == 2);
    CHECK(ended.errors ==
          "signaling-server: --cluster: " + got.error() + " (see signaling-server --help)\n");
    CHECK(std::ranges::count(ended.errors, '\n') == 1);
  }
}

TEST_CASE("--cluster-user: not without a password") {
  const auto ended = run_server({"--cluster", "redis://host", "--cluster-user", "signaling"});
  CHECK(ended.status == 2);
  CHECK(ended.errors ==
        "signaling-server: --cluster-user: needs --cluster-password-file or "
        "SIGNALING_CLUSTER_PASSWORD (see signaling-server --help)\n");
}

TEST_CASE("--cluster-ca: only where TLS is spoken, and what it holds is looked at first of all") {
  const auto complaint = [](const std::string& url, const std::string& file) {
    const auto ended = run_server({"--check-config", "--cluster", url, "--cluster-ca", file});
    CHECK(ended.status == 2);
    return ended.errors;
  };
  const test_certificate certificate;
  CHECK(complaint("redis://host", certificate.file()) ==
        "signaling-server: --cluster-ca: needs --cluster rediss://HOST (see signaling-server "
        "--help)\n");
  CHECK(complaint("rediss://host", "/nowhere/ca.pem") ==
        "signaling-server: failed to read --cluster-ca /nowhere/ca.pem: No such file or "
        "directory\n");
  CHECK(complaint("rediss://host", certificate.key_file()) ==
        "signaling-server: --cluster rediss://host, --cluster-ca " + certificate.key_file() +
            ": failed to read certificates in PEM there (no start line)\n");
  CHECK(complaint("rediss://.", certificate.file()).contains("take \".\" for the name of a host"));
  CHECK(run_server(
            {"--check-config", "--cluster", "rediss://host", "--cluster-ca", certificate.file()})
            .status == 0);
}

}  // namespace
}  // namespace nat::test
