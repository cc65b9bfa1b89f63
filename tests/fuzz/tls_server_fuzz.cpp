// Octets of a stranger into the server's end of TLS, in reads of any size: no plaintext without a
// handshake, no endless answer, and after the end nothing more.

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/base/ensure.hpp"
#include "protocol/tls/connection.hpp"
#include "tests/certificate.hpp"

using namespace nat;

namespace {

const tls::server_context& context() {
  static const auto made = [] {
    const test::test_certificate certificate;
    return tls::server_context::make(certificate.certificate_pem(), certificate.key_pem());
  }();
  ensure(made.has_value());
  return *made;
}

void run(byte_view octets, std::size_t step) {
  static std::vector<std::byte> scratch(tls::max_record);
  tls::connection server(context());
  std::string out;
  bool ended = false;
  while (!octets.empty()) {
    const auto piece = octets.first(std::min(step, octets.size()));
    octets = octets.subspan(piece.size());
    server.feed(piece);
    const auto before = out.size();
    ensure(server.read(scratch, out).empty());  // nobody here has the keys
    ensure(!ended || out.size() == before);
    ended = server.state() == tls::state::failed || server.state() == tls::state::closed;
    ensure(server.state() != tls::state::connected);
    ensure(ended == (server.why() != tls::failure::none));
  }
  ensure(out.size() < 16'384);
  ensure(!server.write(as_bytes("x"), out));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 40'000) return 0;
  const auto octets = std::as_bytes(std::span(data, size));
  run(octets, size + 1);
  if (size < 2'000) run(octets, 1);
  run(octets, 113);
  return 0;
}
