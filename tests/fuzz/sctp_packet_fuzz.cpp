// SCTP packets of a peer that got through DTLS and then misbehaves: into an association that waits,
// and into one that is established with its verification tag. Input: packets (ports and tag left
// out) with a length octet pair before each.

#include <algorithm>
#include <cstdint>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/sctp/association.hpp"
#include "protocol/sctp/crc32c.hpp"

namespace {

using namespace nat;
using namespace std::chrono_literals;

struct pair {
  time_point now{1h};
  sctp::association victim{{.receive_buffer = 64U << 10}, now}, other{{}, now};
  bytes head;  // of a packet to the victim
  bool up = false;

  void exchange() {
    while (const auto packet = victim.poll_packet()) other.handle_packet(*packet, now);
    while (const auto packet = other.poll_packet()) {
      head = to_bytes(packet->first(12));
      victim.handle_packet(*packet, now);
    }
  }
  void read() {
    std::size_t pieces = 0;
    while (const auto event = victim.read(now)) {
      if (std::holds_alternative<sctp::up>(*event)) up = true;
      ensure(++pieces < 10'000);
    }
    while (other.read(now)) {
    }
  }
  void establish() {
    victim.connect(now);
    other.connect(now);
    for (int i = 0; i < 10; ++i) {
      exchange();
      read();
    }
    ensure(up && head.size() == 12);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = std::as_bytes(std::span(data, size));
  if (input.empty()) return 0;
  pair p;
  if ((input[0] & std::byte{1}) != std::byte{0}) {
    p.establish();
  } else {
    p.head = {std::byte{0x13}, std::byte{0x88}, std::byte{0x13}, std::byte{0x88}};
    p.head.resize(12);
  }
  input = input.subspan(1);
  while (input.size() > 2) {
    const auto length = std::min<std::size_t>(load_be<std::uint16_t>(input), input.size() - 2);
    auto packet = p.head;
    packet.insert(packet.end(), input.begin() + 2,
                  input.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    sctp::write_checksum(packet);
    p.victim.handle_packet(packet, p.now);
    p.read();
    while (p.victim.poll_packet()) {
    }
    p.now += 30ms;
    p.victim.handle_timeout(p.now);
    input = input.subspan(2 + length);
  }
  return 0;
}
