// A mapper whose gateways answer as the input says: by its own requests turned into answers and
// bent, by bytes, by TCP exchanges that bring anything, by sockets that come and go.

#include <string>
#include <vector>

#include "ice/portmap/http.hpp"
#include "ice/portmap/igd.hpp"
#include "ice/portmap/mapper.hpp"
#include "ice/portmap/nat_pmp.hpp"
#include "ice/portmap/pcp.hpp"
#include "ice/portmap/ssdp.hpp"
#include "protocol/base/ensure.hpp"
#include "tests/fuzz/input.hpp"

using namespace nat;

namespace {

constexpr std::size_t max_pairs = 4, max_outbox = 32, max_events = 32;

endpoint base_of(fuzz::input& in) {
  static constexpr std::array<const char*, 4> texts{"192.168.1.5:40000", "192.168.1.6:40001",
                                                    "[2001:db8:5::a]:40002", "203.0.113.5:40003"};
  return *parse_endpoint(texts[in.below(texts.size())]);
}

address gateway_of(fuzz::input& in) {
  static constexpr std::array<const char*, 4> texts{"192.168.1.1", "192.168.1.2", "fe80::1",
                                                    "2001:db8:5::1"};
  return *parse_address(texts[in.below(texts.size())]);
}

struct harness {
  harness() : mapper(config(), random) {}
  static portmap::mapper_config config() {
    portmap::mapper_config out;
    out.max_pairs = max_pairs;
    out.max_outbox = max_outbox;
    out.max_events = max_events;
    return out;
  }

  void drain() {
    std::size_t count = 0;
    while (auto out = mapper.poll_transmit()) {
      ensure(++count <= max_outbox && !out->data.empty() && out->data.size() < 512);
      sent.push_back(std::move(*out));
    }
    if (sent.size() > 16) sent.erase(sent.begin(), sent.end() - 16);
    count = 0;
    while (auto event = mapper.poll_event()) {
      ensure(++count <= max_events);
      if (auto* const x = std::get_if<portmap::tcp_exchange>(&*event)) {
        // Never to another place than the one that answered, and never more than a request.
        ensure(x->to.port != 0 && x->from.v4 == x->to.ip.v4 && x->request.size() < 4096);
        exchanges.push_back(x->id);
      }
      if (const auto* const m = std::get_if<portmap::mapped>(&*event)) {
        ensure(m->what.external.port != 0 && m->what.external.ip.v4 == m->what.base.ip.v4);
        ensure(!is_loopback(m->what.external.ip) && !is_multicast(m->what.external.ip));
      }
    }
    ensure(mapper.mappings().size() <= 3 * max_pairs);
  }

  void advance(duration by) {
    now += by;
    mapper.handle_timeout(now);
    if (const auto next = mapper.next_timeout()) ensure(*next > now);
  }

  fuzz::counting_random random;
  time_point now{};
  portmap::mapper mapper;
  std::vector<transmit> sent;
  std::vector<std::uint32_t> exchanges;
};

// A request of ours as an answer, with some octets as the input says.
void answer_request(harness& h, fuzz::input& in) {
  h.drain();
  if (h.sent.empty()) return;
  const auto& request = h.sent[h.sent.size() - 1 - in.below(static_cast<unsigned>(h.sent.size()))];
  auto answer = request.data;
  if (request.via.remote.port == portmap::ssdp::port) {
    static constexpr std::array<const char*, 3> places{"192.168.1.1:5000", "[2001:db8:5::1]:5000",
                                                       "10.9.9.9:22"};
    const auto text = std::string("HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:") +
                      "InternetGatewayDevice:1\r\nLOCATION: http://" +
                      places[in.below(places.size())] + "/d.xml\r\n\r\n";
    h.mapper.handle_datagram({transport::udp, request.via.local, {gateway_of(in), in.word()}},
                             as_bytes(text), h.now);
    return;
  }
  if (answer.size() < 12) answer.resize(12);
  if (answer[0] == std::byte{0} && answer.size() == 12 && request.data.size() == 12) {
    answer.resize(16);
    std::copy(request.data.begin() + 4, request.data.begin() + 8, answer.begin() + 8);
    answer[4] = answer[5] = answer[6] = {};
    answer[15] = std::byte{in.octet()};
  }
  answer[1] |= std::byte{0x80};
  for (unsigned i = in.below(5); i > 0; --i) {
    answer[in.octet() % answer.size()] = std::byte{in.octet()};
  }
  if (answer.size() > 60 - 1 && in.below(2) == 0) {
    for (std::size_t i = 44; i < 54; ++i) answer[i] = {};
    answer[54] = answer[55] = std::byte{0xff};
    for (std::size_t i = 56; i < 60; ++i) answer[i] = std::byte{in.octet()};
  }
  h.mapper.handle_datagram(request.via, answer, h.now);
}

void finish_exchange(harness& h, fuzz::input& in) {
  h.drain();
  const auto id = h.exchanges.empty() ? in.octet() : h.exchanges.back();
  static constexpr std::array<const char*, 6> bodies{
      "<root><device><serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType>",
      "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
      "<controlURL>/c</controlURL><SCPDURL>/s</SCPDURL></service>",
      "<service><serviceType>urn:schemas-upnp-org:service:WANIPv6FirewallControl:1</serviceType>"
      "<controlURL>http://[2001:db8:5::1]:9/c</controlURL></service>",
      "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>",
      "<NewReservedPort>7</NewReservedPort><UniqueID>3</UniqueID>",
      "<errorCode>718</errorCode>"};
  if (in.below(5) == 0) return h.mapper.exchange_done(id, std::nullopt, h.now);
  std::string text = in.below(4) == 0 ? "HTTP/1.1 500 x\r\n\r\n" : "HTTP/1.1 200 OK\r\n\r\n";
  if (in.below(4) == 0) text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (unsigned i = in.below(4); i > 0; --i) text += bodies[in.below(bodies.size())];
  text += as_text(in.some());
  (void)portmap::http::is_complete(text);
  h.mapper.exchange_done(id, text, h.now);
}

void step(harness& h, fuzz::input& in) {
  switch (in.below(10)) {
    case 0:
      return h.mapper.set_gateways(base_of(in), {gateway_of(in), gateway_of(in)}, h.now);
    case 1:
      if (in.below(4) == 0) h.mapper.remove(base_of(in), h.now);
      return;
    case 2:
    case 3:
    case 4:
      return answer_request(h, in);
    case 5:
    case 6:
      return finish_exchange(h, in);
    case 7:
      return h.advance(in.wait());
    case 8:
      if (h.sent.empty()) return;
      if (in.below(8) == 0) return h.mapper.handle_send_failure(h.sent.back().via, h.now);
      (void)h.mapper.handle_datagram(h.sent.back().via, in.some(), h.now);
      return;
    case 9:
      if (in.octet() == 7) return h.mapper.release(h.now);
      return h.mapper.handle_announcement({gateway_of(in), portmap::server_port}, in.some(), h.now);
  }
}

// The readers by themselves, on raw bytes.
void read_all(byte_view raw) {
  if (const auto read = portmap::pcp::read(raw)) ensure(raw.size() >= portmap::pcp::header_size);
  if (const auto read = portmap::nat_pmp::read(raw)) ensure(raw.size() >= 8);
  const auto gateway = *parse_address("192.168.1.1");
  if (const auto found = portmap::ssdp::read(raw, gateway)) ensure(found->where.ip == gateway);
  const portmap::http::url from{{gateway, 80}, "/"};
  const auto described = portmap::igd::read_description(as_text(raw), from);
  if (described.connection) ensure(described.connection->control.where.ip == gateway);
  if (described.firewall) ensure(described.firewall->control.where.ip == gateway);
  if (const auto response = portmap::http::parse_response(as_text(raw))) {
    ensure(response->body.size() <= raw.size());
    (void)portmap::igd::reply(*response).value("NewExternalIPAddress");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_all(std::as_bytes(std::span(data, size)));
  fuzz::input in(data, std::min<std::size_t>(size, 1000));
  harness h;
  while (!in.empty()) step(h, in);
  h.drain();
  h.mapper.release(h.now);
  for (int i = 0; i < 60 && !h.mapper.released(); ++i) {
    h.drain();
    for (const auto id : h.exchanges) h.mapper.exchange_done(id, std::nullopt, h.now);
    h.exchanges.clear();
    h.advance(std::chrono::seconds{1});
  }
  ensure(h.mapper.released());
  return 0;
}
