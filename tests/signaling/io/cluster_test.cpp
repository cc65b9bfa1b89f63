// Two real servers on a real Redis, and what they do where there is none, or something else in its
// place. tests/lab has the faults that take a network and thousands of names.

#include <signal.h>

#include "tests/signaling/io/cluster_node.hpp"
#include "tests/signaling/io/hostile_redis.hpp"

namespace nat::test {
namespace {

TEST_CASE("cluster servers: offers and answers across, one owner of a name, and who is nowhere") {
  attempt([] {
    const redis_process redis;
    const node_pair servers(redis);
    const auto& [one, two] = servers;
    raw_client al(one.websocket), bob(two.websocket);
    join(al, "al");
    join(bob, "bob");
    for (int i = 0; i < 50; ++i) {
      servers.converse(al, "al", bob, "bob");
      servers.converse(bob, "bob", al, "al");
    }
    check_code(code_of_registering(two, "al"), "id-taken");
    check_code(code_of_registering(one, "bob"), "id-taken");
    check_code(code_of_offer(al, "nobody"), "peer-not-found");
    // At once: not by waiting for an acknowledgement.
    if (servers.any("signaling_cluster_acknowledgements_missing_total")) {
      throw spoiled{"an acknowledgement took 1.5 s"};
    }
  });
}

TEST_CASE("cluster servers: the secret takes a name to the other server, and the old end is mute") {
  attempt([] {
    const redis_process redis;
    const node_pair servers(redis);
    const auto& [one, two] = servers;
    raw_client old(one.websocket), fresh(two.websocket), bob(one.websocket);
    join(bob, "bob");
    const auto secret = field(join(old, "al"), "resume");
    const auto taken = join(fresh, "al", R"(,"resume":")" + secret + '"');
    CHECK(field(taken, "resume") == secret);
    const auto end = old.read();
    REQUIRE(end.has_value());
    CHECK(end->opcode == 8);
    CHECK(end->close_code() == 4001);
    old.say(offer("bob", "stale"));
    fresh.say(offer("bob", "fresh"));
    const auto heard = servers.hear(bob, fresh);
    CHECK(field(heard, "sdp") == "fresh");
    servers.converse(bob, "bob", fresh, "al");
  });
}

TEST_CASE("cluster servers: what a killed server had is offline, and its owners go elsewhere") {
  attempt([] {
    const redis_process redis;
    node_pair servers(redis);
    auto& [one, two] = servers;
    raw_client al(one.websocket), bob(two.websocket);
    join(al, "al");
    const auto secret = field(join(bob, "bob"), "resume");
    servers.converse(al, "al", bob, "bob");
    two.signal(SIGKILL);
    CHECK(two.wait() == -1);
    wait_until("bob is offline", [&] { return code_of_offer(al, "bob") == "peer-not-found"; });
    raw_client again(one.websocket);
    join(again, "bob", R"(,"resume":")" + secret + '"');
    converse(al, "al", again, "bob");
  });
}

TEST_CASE("cluster servers: without Redis local peers go on; when it is back, and empty, all do") {
  attempt([] {
    redis_process redis;
    const node_pair servers(redis);
    const auto& [one, two] = servers;
    raw_client al(one.websocket), ann(one.websocket), bob(two.websocket);
    join(al, "al");
    join(ann, "ann");
    join(bob, "bob");
    redis.kill();
    one.wait_until_away();
    two.wait_until_away();
    CHECK(code_of_offer(al, "bob") == "cluster-unavailable");
    CHECK(code_of_offer(bob, "al") == "cluster-unavailable");
    CHECK(code_of_registering(one, "late") == "cluster-unavailable");
    converse(al, "al", ann, "ann");
    redis.start();
    servers.wait_until_ready();
    // The connections have lived, and so have the names.
    servers.converse(al, "al", bob, "bob");
    servers.converse(bob, "bob", ann, "ann");
    check_code(code_of_registering(two, "al"), "id-taken");
    check_code(code_of_registering(one, "late"), "");
  });
}

TEST_CASE("cluster servers: a password that Redis does not take is told") {
  const redis_process redis;
  auto options = redis.options();
  std::string told = "WRONGPASS";
  SUBCASE("another one") {
    options.back() = redis.password_file("hunter2");
  }
  SUBCASE("none") {
    options.resize(2);
    told = "NOAUTH";
  }
  const node one(options);
  one.wait_for("warning the cluster is away: Redis answered: " + told);
  one.wait_until_away();
  CHECK(code_of_registering(one, "al") == "cluster-unavailable");
}

TEST_CASE("cluster servers: a user of Redis' own list") {
  attempt([] {
    const redis_process redis;
    auto options = redis.options();
    options.back() = redis.password_file("for one user");
    options.emplace_back("--cluster-user");
    options.emplace_back("signaling");
    const node one(options);
    one.wait_for("warning the cluster is away: Redis answered: WRONGPASS");
    redis_client(redis).ask({"ACL", "SETUSER", "signaling", "on", ">for one user", "~*", "&*",
                             "+@all", "-@admin", "-@dangerous"});
    one.wait_until_ready();
    raw_client al(one.websocket);
    join(al, "al");
  });
}

TEST_CASE("cluster servers: Redis by name, which is looked up again for each connection") {
  redis_process redis;
  auto options = redis.options();
  options[1] = "redis://localhost:" + std::to_string(redis.where().port);
  const node one(options);
  one.wait_until_ready();
  redis.kill();
  one.wait_until_away();
  redis.start();
  one.wait_until_ready();
}

TEST_CASE("cluster servers: a name that is not found is told, and keeps nobody waiting") {
  const redis_process redis;
  auto options = redis.options();
  const std::string name(64, 'x');  // longer than a label may be: no resolver asks for it
  options[1] = "redis://" + name;
  const node one(options);
  one.wait_for("warning the cluster is away: \"" + name +
               "\" was not found (Name or service not known): check --cluster, and this machine's "
               "DNS");
  one.wait_until_away();
  CHECK(code_of_registering(one, "al") == "cluster-unavailable");
}

// Two peers of one server talk while something else stands in Redis' place; afterwards it is found
// again. `told`: what the log says of it, where that does not depend on how fast the machine is.
void survive_once(hostile_answer answer, const std::string& told) {
  redis_process redis;
  const node one(redis);
  one.wait_until_ready();
  raw_client al(one.websocket), ann(one.websocket);
  join(al, "al");
  join(ann, "ann");
  redis.kill();
  one.wait_until_away();
  {
    const hostile_redis hostile(redis.where(), std::move(answer));
    wait_until("it comes back for more", [&] {
      converse(al, "al", ann, "ann");
      return hostile.connections() >= 3;
    });
    if (!told.empty()) one.wait_for("the cluster is away: " + told);
    one.wait_until_away();
    CHECK(code_of_offer(al, "bob") == "cluster-unavailable");
  }
  redis.start();
  one.wait_until_ready();
  converse(al, "al", ann, "ann");
  check_code(code_of_offer(al, "bob"), "peer-not-found");
}

void survive(const hostile_answer& answer, const std::string& told) {
  attempt([&] { survive_once(answer, told); });
}

TEST_CASE("cluster servers: something else in Redis' place harms nobody") {
  const std::string none = "what answers is no Redis: ";
  SUBCASE("a web server") {
    survive({"HTTP/1.1 400 Bad Request\r\n\r\n", {}, true}, none + "a broken reply");
  }
  SUBCASE("a text without an end") {
    survive({"$2000000000\r\n", std::string(65'536, 'x')}, {});
  }
  SUBCASE("an array of 2^31 items") {
    survive({"*2147483647\r\n"}, none + "an array that nobody asked for");
  }
  SUBCASE("arrays within arrays") {
    survive({{}, "*1\r\n"}, none + "an array that nobody asked for");
  }
  SUBCASE("replies that nobody waits for") {
    survive({{}, "+OK\r\n:1\r\n$-1\r\n*0\r\n"}, "the subscription is not answered");
  }
  SUBCASE("an error that nobody waits for") {
    survive({"-ERR max number of clients reached\r\n"}, "Redis answered: ERR");
  }
  SUBCASE("half a reply, and the end") {
    survive({"*3\r\n$9\r\nsubs", {}, true}, "the connection ended");
  }
  SUBCASE("silence") {
    survive({}, "Redis does not answer");
  }
}

}  // namespace
}  // namespace nat::test
