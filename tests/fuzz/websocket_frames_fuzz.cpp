// Octets of a stranger into the frame decoder. However they are cut into reads, the same events
// must come out, and no message may be larger than allowed.

#include <string>
#include <vector>

#include "protocol/base/ensure.hpp"
#include "signaling/websocket/decoder.hpp"
#include "signaling/websocket/utf8.hpp"

using namespace nat;

namespace {

constexpr std::size_t max_message = 300;

std::vector<std::string> decode(std::string_view octets, std::size_t step) {
  websocket::decoder d(max_message);
  std::vector<std::string> out;
  for (std::size_t at = 0; at < octets.size(); at += step) {
    std::string piece(octets.substr(at, step));
    d.feed(std::as_writable_bytes(std::span(piece)));
    while (const auto e = d.next()) {
      using type = websocket::event::type;
      if (e->what == type::text) ensure(websocket::is_utf8(e->payload));
      ensure(e->payload.size() <= max_message);
      out.push_back(std::to_string(static_cast<int>(e->what)) + '/' +
                    std::to_string(static_cast<int>(e->code)) + '/' + std::string(e->payload));
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const auto whole = decode(octets, size + 1);
  ensure(decode(octets, 1) == whole);
  ensure(decode(octets, 7) == whole);
  return 0;
}
