// Any datagram as an mDNS response, and as one to a resolver that waits for it.

#include <cstdint>

#include "ice/gather/mdns_resolver.hpp"
#include "protocol/base/ensure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto datagram = std::as_bytes(std::span(data, size));
  const auto records = nat::ice::mdns::read_response(datagram);
  nat::ensure(records.size() <= 16);
  for (const auto& record : records) nat::ensure(record.name.size() <= 255);

  nat::ice::mdns::resolver resolver;
  resolver.ask("a.local", {});
  resolver.handle_datagram({nat::make_v4(1), nat::ice::mdns::port}, datagram);
  std::size_t events = 0;
  while (const auto event = resolver.poll_event()) {
    nat::ensure(event->address && !nat::is_unspecified(*event->address));
    ++events;
  }
  nat::ensure(events <= 4);
  return 0;
}
