#pragma once

// A mapper on a home network in virtual time: what it sent, and a router that answers as told.

#include <map>
#include <string>
#include <vector>

#include "ice/portmap/mapper.hpp"
#include "ice/portmap/nat_pmp.hpp"
#include "ice/portmap/pcp.hpp"
#include "ice/portmap/ssdp.hpp"
#include "protocol/base/big_endian.hpp"

namespace nat::test {

using namespace std::chrono_literals;

inline const endpoint inside = *parse_endpoint("192.168.1.5:40000");
inline const endpoint inside6 = *parse_endpoint("[2001:db8:5::a]:40000");
inline const address router = *parse_address("192.168.1.1");
inline const address router6 = *parse_address("fe80::1");
inline const address outside = *parse_address("203.0.113.7");

[[nodiscard]] inline bytes pcp_answer(byte_view request, const endpoint& external,
                                      std::uint32_t lifetime, std::uint32_t epoch,
                                      std::uint8_t code = 0) {
  bytes out(request.begin(), request.end());
  const byte_span span(out);
  store_be(span, 1, static_cast<std::uint8_t>(0x81));
  store_be(span, 3, code);
  store_be(span, 4, lifetime);
  store_be(span, 8, epoch);
  for (std::size_t i = 12; i < 24; ++i) span[i] = {};
  store_be(span, 42, external.port);
  for (std::size_t i = 0; i < 16; ++i) {
    span[44 + i] = external.ip.v4 ? std::byte{} : external.ip.octets[i];
  }
  if (external.ip.v4) {
    span[54] = span[55] = std::byte{0xff};
    for (std::size_t i = 0; i < 4; ++i) span[56 + i] = external.ip.octets[i];
  }
  return out;
}

[[nodiscard]] inline bytes nat_pmp_address(const address& external, std::uint32_t epoch,
                                           std::uint16_t code = 0) {
  bytes out(12);
  store_be(byte_span(out), 1, static_cast<std::uint8_t>(0x80));
  store_be(byte_span(out), 2, code);
  store_be(byte_span(out), 4, epoch);
  for (std::size_t i = 0; i < 4; ++i) out[8 + i] = external.octets[i];
  return out;
}

[[nodiscard]] inline bytes nat_pmp_mapped(std::uint16_t in, std::uint16_t out_port,
                                          std::uint32_t lifetime, std::uint32_t epoch,
                                          std::uint16_t code = 0) {
  bytes out(16);
  store_be(byte_span(out), 1, static_cast<std::uint8_t>(0x81));
  store_be(byte_span(out), 2, code);
  store_be(byte_span(out), 4, epoch);
  store_be(byte_span(out), 8, in);
  store_be(byte_span(out), 10, out_port);
  store_be(byte_span(out), 12, lifetime);
  return out;
}

[[nodiscard]] inline std::string http_ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

[[nodiscard]] inline std::string soap(const std::string& name, const std::string& inner) {
  return http_ok("<?xml version=\"1.0\"?><s:Envelope><s:Body><u:" + name + "Response>" + inner +
                 "</u:" + name + "Response></s:Body></s:Envelope>");
}

[[nodiscard]] inline std::string soap_fault(int code) {
  const auto body = "<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>" +
                    std::to_string(code) +
                    "</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>";
  return "HTTP/1.1 500 Internal Server Error\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// As miniupnpd describes itself, shortened.
[[nodiscard]] inline std::string igd_description(int version, const std::string& control = "/ctl") {
  const auto v = std::to_string(version);
  const auto service = [&](const std::string& type, const std::string& url) {
    return "<service><serviceType>urn:schemas-upnp-org:service:" + type +
           "</serviceType><serviceId>x</serviceId><SCPDURL>/s.xml</SCPDURL><controlURL>" + url +
           "</controlURL><eventSubURL>/e</eventSubURL></service>";
  };
  return "<?xml version=\"1.0\"?><root><device><deviceType>urn:schemas-upnp-org:device:"
         "InternetGatewayDevice:" +
         v +
         "</deviceType><deviceList><device><deviceType>urn:schemas-"
         "upnp-org:device:WANDevice:" +
         v + "</deviceType><serviceList>" + service("WANCommonInterfaceConfig:1", "/c") +
         "</serviceList><deviceList><device>"
         "<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:" +
         v + "</deviceType><serviceList>" + service("WANIPConnection:" + v, control) +
         (version > 1 ? service("WANIPv6FirewallControl:1", "/six") : std::string{}) +
         "</serviceList></device></deviceList></device></deviceList></device></root>";
}

struct home {
  explicit home(portmap::mapper_config config = {}) : mapper(config, random) {}

  void drain() {
    while (auto out = mapper.poll_transmit()) sent.push_back(std::move(*out));
    while (auto event = mapper.poll_event()) {
      if (auto* const m = std::get_if<portmap::mapped>(&*event)) mapped.push_back(m->what);
      if (auto* const m = std::get_if<portmap::unmapped>(&*event)) unmapped.push_back(m->what);
      if (auto* const a = std::get_if<portmap::answered>(&*event)) answered.push_back(*a);
      if (auto* const r = std::get_if<portmap::refused>(&*event)) refused.push_back(*r);
      if (auto* const x = std::get_if<portmap::tcp_exchange>(&*event)) exchanges.push_back(*x);
    }
  }
  void advance(duration by) {
    const auto end = now + by;
    for (;;) {
      const auto next = mapper.next_timeout();
      if (!next || *next > end) break;
      now = std::max(now, *next);
      mapper.handle_timeout(now);
      drain();
    }
    now = end;
  }
  void receive(const endpoint& from, byte_view data, const endpoint& base = inside) {
    mapper.handle_datagram({transport::udp, base, from}, data, now);
    drain();
  }
  void receive(byte_view data) { receive({router, portmap::server_port}, data); }
  void reply(const std::string& text) {
    const auto id = exchanges.back().id;
    mapper.exchange_done(id, text, now);
    drain();
  }
  void start(const endpoint& base = inside, const address& gateway = router) {
    mapper.set_gateways(base, {gateway}, now);
    drain();
  }

  // Requests to port 5351 whose version is `version`, oldest first.
  [[nodiscard]] std::vector<bytes> requests(int version) const {
    std::vector<bytes> out;
    for (const auto& t : sent) {
      if (t.via.remote.port == portmap::server_port && t.data[0] == std::byte(version)) {
        out.push_back(t.data);
      }
    }
    return out;
  }
  [[nodiscard]] bytes pcp_request() const { return requests(2).back(); }

  test::seeded_random random;
  time_point now{std::chrono::hours{1}};
  portmap::mapper mapper;
  std::vector<transmit> sent;
  std::vector<portmap::mapping> mapped, unmapped;
  std::vector<portmap::answered> answered;
  std::vector<portmap::refused> refused;
  std::vector<portmap::tcp_exchange> exchanges;
};

[[nodiscard]] inline portmap::mapper_config only(portmap::protocol how) {
  portmap::mapper_config config;
  config.pcp = how == portmap::protocol::pcp;
  config.nat_pmp = how == portmap::protocol::nat_pmp;
  config.upnp = how == portmap::protocol::upnp;
  return config;
}

}  // namespace nat::test
