#include "tests/check.hpp"

#include "ice/portmap/epoch.hpp"
#include "ice/portmap/external_address.hpp"
#include "ice/portmap/http.hpp"
#include "ice/portmap/igd.hpp"
#include "tests/ice/portmap/home_router.hpp"

using namespace nat;
using namespace nat::portmap;

TEST_CASE("PCP: a MAP request is laid out as RFC 6887, 7.1 and 11.1 draw it") {
  pcp::nonce id;
  id.fill(std::byte{0xab});
  const auto wire = pcp::write({.client = *parse_address("192.168.1.5"),
                                .id = id,
                                .internal_port = 0x1234,
                                .suggested = {make_v4(0), 0x5678},
                                .lifetime = 3600});
  CHECK(wire == test::from_hex("02010000 00000e10 00000000000000000000ffffc0a80105"
                               "abababababababababababab 11000000 1234 5678"
                               "00000000000000000000ffff00000000"));
}

TEST_CASE("PCP: what miniupnpd 2.3.1 answered for an IPv6 pinhole") {
  const auto wire = test::from_hex(
      "0281000000000e10000000030000000000000000000000006e6e6e6e6e6e6e6e6e6e6e6e"
      "110000000fa00fa020010db800010000000000000000000a");
  const auto read = pcp::read(wire);
  REQUIRE(read);
  CHECK(read->code == pcp::result::success);
  CHECK(read->lifetime == 3600);
  CHECK(read->epoch == 3);
  REQUIRE(read->map);
  CHECK(read->map->protocol == udp_protocol);
  CHECK(read->map->internal_port == 4000);
  CHECK(to_string(read->map->external) == "[2001:db8:1::a]:4000");
  for (std::size_t size = 0; size < wire.size(); ++size) {
    CHECK_FALSE(pcp::read(byte_view(wire).first(size)));
  }
  auto longer = wire;
  longer.resize(pcp::max_size + 4);
  CHECK_FALSE(pcp::read(longer));
}

TEST_CASE("PCP: requests, other versions' answers and odd sizes are no responses") {
  auto wire = test::from_hex("02000000 00000000 00000001 000000000000000000000000");
  CHECK_FALSE(pcp::read(wire));  // a request
  wire[1] = std::byte{0x80};
  CHECK(pcp::read(wire)->what == pcp::opcode::announce);
  wire[0] = std::byte{1};
  CHECK_FALSE(pcp::read(wire));
  wire[3] = std::byte{1};  // UNSUPP_VERSION may come in any version
  CHECK(pcp::read(wire)->code == pcp::result::unsupp_version);
  wire.push_back({});
  CHECK_FALSE(pcp::read(wire));
}

TEST_CASE("NAT-PMP: requests and what miniupnpd 2.3.1 answered") {
  CHECK(nat_pmp::write_address_request() == test::from_hex("0000"));
  CHECK(nat_pmp::write_map_request(4000, 4001, 3600) ==
        test::from_hex("00010000 0fa0 0fa1 00000e10"));
  const auto where = test::from_hex("00800000000000032c80000a");
  CHECK(nat_pmp::read(where)->external == parse_address("44.128.0.10"));
  const auto mapped = test::from_hex("00810000000000030fa00fa000000e10");
  const auto read = nat_pmp::read(mapped);
  REQUIRE(read);
  REQUIRE(read->map);
  CHECK(read->map->internal_port == 4000);
  CHECK(read->map->external_port == 4000);
  CHECK(read->map->lifetime == 3600);
  for (const auto& whole : {where, mapped}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CHECK_FALSE(nat_pmp::read(byte_view(whole).first(size)));
    }
  }
  // An error is eight octets long; other operations are none of ours.
  CHECK(nat_pmp::read(test::from_hex("0081000200000003"))->code == nat_pmp::result::not_authorized);
  CHECK_FALSE(nat_pmp::read(test::from_hex("0082000000000003 00000000 00000000")));
}

TEST_CASE("every result has words") {
  for (unsigned code = 0; code < 256; ++code) {
    CHECK_FALSE(pcp::explain(static_cast<pcp::result>(code)).empty());
    CHECK_FALSE(nat_pmp::explain(static_cast<nat_pmp::result>(code)).empty());
  }
}

TEST_CASE("an external address must be one that can exist") {
  for (const auto* good : {"203.0.113.7", "10.0.0.1", "100.64.1.2", "192.168.0.1"}) {
    CHECK(is_plausible(*parse_address(good), test::inside));
  }
  for (const auto* bad : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1",
                          "240.0.0.1", "255.255.255.255", "2001:db8::1"}) {
    CHECK_FALSE(is_plausible(*parse_address(bad), test::inside));
  }
  CHECK(is_plausible(*parse_address("2001:db8::1"), test::inside6));
  for (const auto* bad : {"::", "::1", "fe80::1", "ff02::1", "203.0.113.7"}) {
    CHECK_FALSE(is_plausible(*parse_address(bad), test::inside6));
  }
}

TEST_CASE("epoch: a gateway that has restarted, and one that has not") {
  using namespace std::chrono_literals;
  const time_point start{};
  const auto restarted = [&](std::uint32_t first, duration later, std::uint32_t second) {
    epoch_watch watch;
    CHECK_FALSE(watch.restarted(first, start));
    return watch.restarted(second, start + later);
  };
  CHECK_FALSE(restarted(1000, 100s, 1100));
  CHECK_FALSE(restarted(1000, 0s, 999));      // overtaken on the way
  CHECK_FALSE(restarted(1000, 1600s, 2500));  // a clock that is 1/16 slow
  CHECK(restarted(1000, 100s, 3));
  CHECK(restarted(1000, 0s, 998));
  CHECK(restarted(1000, 100s, 1001));  // it stood still
  CHECK(restarted(1000, 100s, 5000));
  CHECK_FALSE(restarted(0xffffffff, 0s, 0xffffffff));
}

TEST_CASE("URLs: an address, a port, a path, and nothing else") {
  const auto text = [](std::string_view in) {
    const auto url = http::parse_url(in);
    return url ? to_string(url->where) + ' ' + url->target : std::string("none");
  };
  CHECK(text("http://192.168.1.1:5000/rootDesc.xml") == "192.168.1.1:5000 /rootDesc.xml");
  CHECK(text("HTTP://192.168.1.1") == "192.168.1.1:80 /");
  CHECK(text("http://[2001:db8::1]:5000/a?b=c") == "[2001:db8::1]:5000 /a?b=c");
  CHECK(text("http://[fe80::1%25eth0]:5000/") == "[fe80::1]:5000 /");
  CHECK(text("http://[2001:db8::1]/x") == "[2001:db8::1]:80 /x");
  for (const auto* bad :
       {"", "http://", "https://192.168.1.1/", "http://router.lan/", "ftp://192.168.1.1/",
        "http://192.168.1.1:0/", "http://192.168.1.1:99999/", "http://user@192.168.1.1/",
        "http://192.168.1.1/a b", "http://192.168.1.1/a\r\nHost: x", "http://[fe80::1%",
        "http://%"}) {
    CHECK(text(bad) == "none");
  }
  CHECK(text("http://192.168.1.1/" + std::string(126, 'a')) != "none");
  CHECK(text("http://192.168.1.1/" + std::string(127, 'a')) == "none");
}

TEST_CASE("HTTP responses: whole by length, by chunks, by the end; cut anywhere they are not") {
  const std::string plain = "HTTP/1.1 200 OK\r\ncontent-length:  4 \r\n\r\nbody";
  CHECK(http::is_complete(plain));
  CHECK(http::parse_response(plain)->body == "body");
  for (std::size_t size = 0; size < plain.size(); ++size) {
    CHECK_FALSE(http::is_complete(plain.substr(0, size)));
  }
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nbod\r\n1\r\ny\r\n0\r\n\r\n";
  CHECK(http::is_complete(chunked));
  CHECK(http::parse_response(chunked)->body == "body");
  for (std::size_t size = 0; size + 4 < chunked.size(); ++size) {
    CHECK_FALSE(http::is_complete(chunked.substr(0, size)));
  }
  const std::string open_end = "HTTP/1.0 500 No\r\nServer: x\r\n\r\nbody";
  CHECK_FALSE(http::is_complete(open_end));
  CHECK(http::parse_response(open_end)->status == 500);
  CHECK(http::parse_response(open_end)->body == "body");
  // A chunk that is no number, or larger than all that is taken, ends it.
  CHECK(http::is_complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
  CHECK(http::is_complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"));
  CHECK_FALSE(http::parse_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
  CHECK(http::is_complete(std::string(http::max_response, 'x')));
  CHECK_FALSE(http::parse_response("SSH-2.0-x\r\n\r\n"));
}

TEST_CASE("SSDP: a description is taken only from where the answer came from") {
  const auto answer = [](const std::string& location, const std::string& type) {
    return "HTTP/1.1 200 OK\r\nST: " + type + "\r\nLocation: " + location + "\r\nEXT:\r\n\r\n";
  };
  const std::string igd = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
  const auto reads = [](const std::string& text) {
    return ssdp::read(as_bytes(text), test::router).has_value();
  };
  CHECK(reads(answer("http://192.168.1.1:5000/rootDesc.xml", igd)));
  CHECK_FALSE(reads(answer("http://192.168.1.2:5000/rootDesc.xml", igd)));
  CHECK_FALSE(reads(answer("http://127.0.0.1:5000/rootDesc.xml", igd)));
  CHECK_FALSE(reads(answer("http://router/rootDesc.xml", igd)));
  CHECK_FALSE(reads(answer("http://192.168.1.1/", "upnp:rootdevice")));
  CHECK_FALSE(reads("NOTIFY * HTTP/1.1\r\n\r\n"));
  const auto whole = answer("http://192.168.1.1/", igd);
  for (std::size_t size = 0; size < 80; ++size) CHECK_FALSE(reads(whole.substr(0, size)));
}

TEST_CASE("IGD: services are found, and control URLs that lead elsewhere are not") {
  const auto from = *http::parse_url("http://192.168.1.1:5000/rootDesc.xml");
  const auto two = igd::read_description(test::igd_description(2), from);
  REQUIRE(two.connection);
  CHECK(two.connection->version() == 2);
  CHECK(to_string(two.connection->control.where) == "192.168.1.1:5000");
  CHECK(two.connection->control.target == "/ctl");
  REQUIRE(two.firewall);
  CHECK(two.firewall->control.target == "/six");
  const auto one = igd::read_description(test::igd_description(1), from);
  CHECK(one.connection->version() == 1);
  CHECK_FALSE(one.firewall);
  const auto control = [&](const std::string& url) {
    return igd::read_description(test::igd_description(1, url), from).connection;
  };
  CHECK(control("ctl/IPConn")->control.target == "/ctl/IPConn");
  CHECK(control("http://192.168.1.1:49152/ctl")->control.where.port == 49152);
  CHECK_FALSE(control("http://192.168.1.2:5000/ctl"));
  CHECK_FALSE(control("http://127.0.0.1/ctl"));
  CHECK_FALSE(control("gopher://192.168.1.1/ctl"));
  CHECK_FALSE(control(""));
  const auto whole = test::igd_description(2);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = igd::read_description(whole.substr(0, size), from);
    CHECK((!cut.connection || cut.connection->control.where.ip == test::router));
  }
}

TEST_CASE("IGD: replies and faults") {
  const auto said = [](const std::string& text) { return igd::reply(*http::parse_response(text)); };
  const auto good = said(test::soap("AddAnyPortMapping", "<NewReservedPort>7</NewReservedPort>"));
  CHECK(good.error() == 0);
  CHECK(good.value("NewReservedPort") == "7");
  CHECK(good.value("other").empty());
  CHECK(said(test::soap_fault(718)).error() == 718);
  CHECK(said("HTTP/1.1 500 x\r\n\r\nnothing").error() == -1);
  CHECK(said("HTTP/1.1 404 Not Found\r\n\r\n").error() == -1);
}
