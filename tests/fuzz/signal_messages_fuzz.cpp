// Both parsers of the signaling protocol: whatever they accept must survive being written and read
// again.

#include "protocol/base/ensure.hpp"
#include "protocol/signal/messages.hpp"

using namespace nat::signal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto message = parse_server_message(text)) {
    const auto written = to_json(*message);
    const auto again = parse_server_message(written);
    nat::ensure(again.has_value() && to_json(*again) == written);
  }
  if (const auto message = parse_client_message(text)) {
    const auto written = to_json(*message);
    const auto again = parse_client_message(written);
    nat::ensure(again.has_value() && to_json(*again) == written);
  }
  return 0;
}
