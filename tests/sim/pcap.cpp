#include "tests/sim/pcap.hpp"

#include <algorithm>
#include <array>

#include "protocol/base/big_endian.hpp"

namespace nat::sim {
namespace {

enum ip_protocol : std::uint8_t { icmp = 1, tcp = 6, udp = 17, icmpv6 = 58 };

void append(bytes& to, byte_view what) {
  to.insert(to.end(), what.begin(), what.end());
}

template <class Integer>
void append_be(bytes& to, Integer value) {
  std::array<std::byte, sizeof(Integer)> octets;
  store_be(byte_span(octets), 0, value);
  append(to, octets);
}

// RFC 1071, in network order.
std::uint16_t checksum(byte_view data, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < data.size(); i += 2) sum += load_be<std::uint16_t>(data, i);
  if (data.size() % 2 != 0) sum += std::to_integer<std::uint32_t>(data.back()) << 8;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t pseudo_header_sum(const address& from, const address& to, std::uint8_t protocol,
                                std::size_t length) {
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(length);
  for (const auto& a : {from, to}) {
    for (std::size_t i = 0; i < a.view().size(); i += 2) sum += load_be<std::uint16_t>(a.view(), i);
  }
  return sum;
}

bytes ip_header(const address& from, const address& to, std::uint8_t protocol, std::size_t payload,
                std::uint8_t hop_limit) {
  bytes out;
  if (from.v4) {
    append_be(out, std::uint16_t{0x4500});
    append_be(out, static_cast<std::uint16_t>(20 + payload));
    append_be(out, std::uint32_t{0x00004000});  // don't fragment
    append_be(out, hop_limit);
    append_be(out, protocol);
    append_be(out, std::uint16_t{0});
    append(out, from.view());
    append(out, to.view());
    store_be(byte_span(out), 10, checksum(out));
    return out;
  }
  append_be(out, std::uint32_t{0x60000000});
  append_be(out, static_cast<std::uint16_t>(payload));
  append_be(out, protocol);
  append_be(out, hop_limit);
  append(out, from.view());
  append(out, to.view());
  return out;
}

bytes udp_segment(const packet& p) {
  bytes out;
  append_be(out, p.source.port);
  append_be(out, p.destination.port);
  append_be(out, static_cast<std::uint16_t>(8 + p.data.size()));
  append_be(out, std::uint16_t{0});
  append(out, p.data);
  const auto sum = checksum(out, pseudo_header_sum(p.source.ip, p.destination.ip, udp, out.size()));
  store_be(byte_span(out), 6, sum == 0 ? std::uint16_t{0xffff} : sum);
  return out;
}

bytes tcp_segment(const packet& p) {
  static constexpr std::array<std::uint8_t, 6> flags{0x10, 0x02, 0x12, 0x18, 0x11, 0x04};
  bytes out;
  append_be(out, p.source.port);
  append_be(out, p.destination.port);
  append_be(out, static_cast<std::uint32_t>(p.sequence));
  append_be(out, std::uint32_t{0});
  append_be(out, static_cast<std::uint16_t>(0x5000 | flags[static_cast<std::size_t>(p.tcp)]));
  append_be(out, std::uint16_t{0xffff});
  append_be(out, std::uint32_t{0});
  append(out, p.data);
  store_be(byte_span(out), 16,
           checksum(out, pseudo_header_sum(p.source.ip, p.destination.ip, tcp, out.size())));
  return out;
}

// The error quotes the refused packet's IP header and ports.
bytes icmp_error(const packet& p) {
  const packet refused{.proto = p.proto, .source = p.destination, .destination = p.source};
  const auto quoted = ip_packet(refused);
  bytes out;
  const bool v4 = p.source.ip.v4;
  append_be(out, static_cast<std::uint16_t>(v4 ? 0x0303 : 0x0104));  // port unreachable
  append_be(out, std::uint16_t{0});
  append_be(out, std::uint32_t{0});
  append(out, byte_view(quoted).first(std::min<std::size_t>(quoted.size(), v4 ? 28 : 48)));
  const auto sum = v4 ? 0U : pseudo_header_sum(p.source.ip, p.destination.ip, icmpv6, out.size());
  store_be(byte_span(out), 2, checksum(out, sum));
  return out;
}

void write_le(std::ofstream& out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out.put(static_cast<char>(value >> (8 * i)));
}

}  // namespace

bytes ip_packet(const packet& p) {
  const bool v4 = p.source.ip.v4;
  const auto payload = p.unreachable               ? icmp_error(p)
                       : p.proto == transport::udp ? udp_segment(p)
                                                   : tcp_segment(p);
  const auto protocol = p.unreachable               ? (v4 ? icmp : icmpv6)
                        : p.proto == transport::udp ? udp
                                                    : tcp;
  auto out = ip_header(p.source.ip, p.destination.ip, protocol, payload.size(), p.hop_limit);
  append(out, payload);
  return out;
}

pcap_writer::pcap_writer(const std::string& file) : out_(file, std::ios::binary) {
  write_le(out_, 0xa1b23c4d);  // nanoseconds
  write_le(out_, 0x00040002);  // version 2.4
  write_le(out_, 0);
  write_le(out_, 0);
  write_le(out_, 65535);
  write_le(out_, 101);  // LINKTYPE_RAW
}

void pcap_writer::add(const packet& p, time_point now) {
  const auto octets = ip_packet(p);
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch());
  write_le(out_, static_cast<std::uint32_t>(ns.count() / 1'000'000'000));
  write_le(out_, static_cast<std::uint32_t>(ns.count() % 1'000'000'000));
  write_le(out_, static_cast<std::uint32_t>(octets.size()));
  write_le(out_, static_cast<std::uint32_t>(octets.size()));
  out_.write(reinterpret_cast<const char*>(octets.data()),
             static_cast<std::streamsize>(octets.size()));
}

}  // namespace nat::sim
