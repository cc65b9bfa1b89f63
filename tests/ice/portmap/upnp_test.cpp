#include "tests/check.hpp"

#include "tests/ice/portmap/home_router.hpp"

using namespace nat;
using namespace nat::portmap;
using namespace nat::test;

namespace {

std::string ssdp_answer(const std::string& location) {
  return "HTTP/1.1 200 OK\r\nST: "
         "urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: " +
         location + "\r\n\r\n";
}

void find(home& h) {
  h.receive({router, 49152}, as_bytes(ssdp_answer("http://192.168.1.1:5000/rootDesc.xml")));
}

const std::string address_told =
    soap("GetExternalIPAddress", "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>");
const std::string any_port = soap("AddAnyPortMapping", "<NewReservedPort>51000</NewReservedPort>");

bool asks(const home& h, std::string_view action) {
  return !h.exchanges.empty() &&
         h.exchanges.back().request.find("#" + std::string(action) + "\"") != std::string::npos;
}

// Up to the moment when the mapping is asked for.
void describe(home& h, int version) {
  h.start();
  find(h);
  h.reply(http_ok(igd_description(version)));
  REQUIRE(asks(h, "GetExternalIPAddress"));
  h.reply(address_told);
}

}  // namespace

TEST_CASE("UPnP: IGD 2 maps any port, renews, deletes") {
  home h(only(protocol::upnp));
  h.start();
  find(h);
  REQUIRE(h.exchanges.size() == 1);
  CHECK(h.exchanges[0].from == inside.ip);
  CHECK(to_string(h.exchanges[0].to) == "192.168.1.1:5000");
  CHECK(h.exchanges[0].request.starts_with("GET /rootDesc.xml HTTP/1.1\r\n"));
  h.reply(http_ok(igd_description(2)));
  h.reply(address_told);
  REQUIRE(h.answered.size() == 2);
  CHECK(h.answered.back().external == outside);
  REQUIRE(asks(h, "AddAnyPortMapping"));
  for (const auto* part :
       {"<NewProtocol>UDP<", "<NewInternalPort>40000<", "<NewInternalClient>192.168.1.5<",
        "<NewExternalPort>40000<", "<NewLeaseDuration>3600<", "<NewRemoteHost><", "POST /ctl "}) {
    CHECK(h.exchanges.back().request.find(part) != std::string::npos);
  }
  CHECK_FALSE(h.mapper.settled(h.now));
  h.reply(any_port);
  REQUIRE(h.mapped.size() == 1);
  CHECK(h.mapped[0].via() == "upnp:192.168.1.1");
  CHECK(to_string(h.mapped[0].external) == "203.0.113.7:51000");
  CHECK(h.mapper.settled(h.now));
  h.advance(1800s);
  REQUIRE(asks(h, "GetExternalIPAddress"));
  h.reply(address_told);
  REQUIRE(asks(h, "AddAnyPortMapping"));
  CHECK(h.exchanges.back().request.find("<NewExternalPort>51000<") != std::string::npos);
  h.reply(any_port);
  CHECK(h.mapped.size() == 1);
  h.mapper.release(h.now);
  h.drain();
  REQUIRE(asks(h, "DeletePortMapping"));
  CHECK(h.exchanges.back().request.find("<NewExternalPort>51000<") != std::string::npos);
  CHECK_FALSE(h.mapper.released());
  h.reply(soap("DeletePortMapping", ""));
  CHECK(h.mapper.released());
}

TEST_CASE("UPnP: IGD 1 maps one port, tries others when it is taken, and knows permanent leases") {
  home h(only(protocol::upnp));
  describe(h, 1);
  REQUIRE(asks(h, "AddPortMapping"));
  h.reply(soap_fault(718));
  REQUIRE(asks(h, "AddPortMapping"));
  CHECK(h.exchanges.back().request.find("<NewExternalPort>40000<") == std::string::npos);
  h.reply(soap_fault(725));
  CHECK(h.exchanges.back().request.find("<NewLeaseDuration>0<") != std::string::npos);
  h.reply(soap("AddPortMapping", ""));
  REQUIRE(h.mapped.size() == 1);
  CHECK(h.mapped[0].external.port != 40000);
  CHECK(h.mapped[0].external.port >= 1024);
}

TEST_CASE("UPnP: what is refused is told, and does not go on for ever") {
  const auto refused_by = [](std::vector<int> codes) {
    home h(only(protocol::upnp));
    describe(h, 2);
    for (const auto code : codes) h.reply(soap_fault(code));
    CHECK(h.mapped.empty());
    const auto before = h.exchanges.size();
    h.advance(299s);
    CHECK(h.exchanges.size() == before);
    return h.refused.empty() ? std::string{} : h.refused.back().reason;
  };
  CHECK(refused_by({606}) == "this host may not map ports");
  CHECK(refused_by({501}) == "UPnP error 501");
  CHECK(refused_by({718, 718, 718, 718, 718}) == "UPnP error 718");
  CHECK(refused_by({725, 725}) == "UPnP error 725");
  CHECK(refused_by({401, 401}) == "UPnP error 401");
}

TEST_CASE("UPnP: exchanges that bring nothing, or nonsense") {
  for (int at = 0; at < 3; ++at) {
    for (const auto* text :
         {"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 500 x\r\n\r\n<a>", "garbage"}) {
      home h(only(protocol::upnp));
      h.start();
      find(h);
      if (at > 0) h.reply(http_ok(igd_description(2)));
      if (at > 1) h.reply(address_told);
      const bool odd_grant = at == 2 && std::string_view(text).starts_with("HTTP/1.1 200");
      if (*text == '\0') {
        h.mapper.exchange_done(h.exchanges.back().id, std::nullopt, h.now);
        h.drain();
      } else {
        h.reply(text);
      }
      CHECK(h.mapped.size() ==
            (odd_grant ? 1 : 0));  // a bare success is one: the port we asked for
      CHECK(h.mapper.settled(h.now));
      h.mapper.exchange_done(h.exchanges.back().id, "HTTP/1.1 200 OK\r\n\r\n", h.now);  // twice
      h.mapper.exchange_done(12345, "HTTP/1.1 200 OK\r\n\r\n", h.now);
      h.drain();
      h.mapper.release(h.now);
      h.drain();
      if (odd_grant) h.reply(soap("DeletePortMapping", ""));
      CHECK(h.mapper.released());
    }
  }
}

TEST_CASE("UPnP: only the gateway may answer the search, and only with itself") {
  home h(only(protocol::upnp));
  h.start();
  h.receive({*parse_address("192.168.1.66"), 1900},
            as_bytes(ssdp_answer("http://192.168.1.66:80/x.xml")));
  h.receive({router, 1900}, as_bytes(ssdp_answer("http://192.168.1.66:80/x.xml")));
  h.receive({router, 1900}, as_bytes(ssdp_answer("http://10.0.0.1:22/")));
  CHECK(h.exchanges.empty());
  find(h);
  CHECK(h.exchanges.size() == 1);
  find(h);  // answered twice, as the search was sent twice
  CHECK(h.exchanges.size() == 1);
}

TEST_CASE("UPnP: silence ends the search") {
  home h(only(protocol::upnp));
  h.start();
  h.advance(900ms);
  CHECK(h.mapper.settled(h.now));
  h.advance(1h);
  CHECK(h.sent.size() == 8);
  CHECK_FALSE(h.mapper.next_timeout());
}

TEST_CASE("UPnP maps only where PCP and NAT-PMP don't") {
  home h;
  describe(h, 2);
  CHECK(asks(h, "GetExternalIPAddress"));  // no further: they have the grace
  h.receive(pcp_answer(h.pcp_request(), {outside, 51001}, 3600, 1));
  h.advance(10s);
  CHECK(asks(h, "GetExternalIPAddress"));
  REQUIRE(h.mapped.size() == 1);
  home alone;
  describe(alone, 2);
  alone.advance(100ms);
  REQUIRE(asks(alone, "AddAnyPortMapping"));
  alone.reply(any_port);
  CHECK(alone.mapped.size() == 1);
}

TEST_CASE("UPnP: an IPv6 pinhole, updated by its id, asked for anew when forgotten, deleted") {
  home h(only(protocol::upnp));
  h.start(inside6, router6);
  const auto lan_address = *parse_address("2001:db8:5::1");
  h.receive({*parse_address("2001:db8:6::1"), 1900},
            as_bytes(ssdp_answer("http://[2001:db8:6::1]:5000/d.xml")), inside6);
  CHECK(h.exchanges.empty());  // another network's
  h.receive({lan_address, 1900}, as_bytes(ssdp_answer("http://[2001:db8:5::1]:5000/d.xml")),
            inside6);
  h.reply(http_ok(igd_description(2)));
  REQUIRE(asks(h, "AddPinhole"));
  CHECK(h.exchanges.back().request.find("<InternalClient>2001:db8:5::a<") != std::string::npos);
  h.reply(soap("AddPinhole", "<UniqueID>7</UniqueID>"));
  REQUIRE(h.mapped.size() == 1);
  CHECK(h.mapped[0].external == inside6);
  h.advance(1800s);
  REQUIRE(asks(h, "UpdatePinhole"));
  CHECK(h.exchanges.back().request.find("<UniqueID>7<") != std::string::npos);
  h.reply(soap_fault(704));
  REQUIRE(asks(h, "AddPinhole"));
  h.reply(soap("AddPinhole", "<UniqueID>9</UniqueID>"));
  h.mapper.release(h.now);
  h.drain();
  REQUIRE(asks(h, "DeletePinhole"));
  CHECK(h.exchanges.back().request.find("<UniqueID>9<") != std::string::npos);
  h.reply(soap("DeletePinhole", ""));
  CHECK(h.mapper.released());
  home one(only(protocol::upnp));  // IGD 1 knows no pinholes
  one.start(inside6, router6);
  one.receive({lan_address, 1900}, as_bytes(ssdp_answer("http://[2001:db8:5::1]:5000/d.xml")),
              inside6);
  one.reply(http_ok(igd_description(1)));
  CHECK(one.exchanges.size() == 1);
  CHECK(one.mapper.settled(one.now));
}

TEST_CASE("UPnP: a mapping that is being made when all is released is deleted once it stands") {
  home h(only(protocol::upnp));
  describe(h, 2);
  REQUIRE(asks(h, "AddAnyPortMapping"));
  h.mapper.release(h.now);
  h.drain();
  CHECK_FALSE(h.mapper.released());
  h.reply(any_port);
  CHECK(h.mapped.empty());
  REQUIRE(asks(h, "DeletePortMapping"));
  h.mapper.exchange_done(h.exchanges.back().id, std::nullopt, h.now);
  CHECK(h.mapper.released());
}
