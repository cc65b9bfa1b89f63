// New connections a second: the clients on one core, the server on the other, if there are two.

#include <chrono>

#include "tests/bench/signaling_bench.hpp"
#include "tests/bench/signaling_stream.hpp"
#include "tests/bench/signaling_visitors.hpp"

// In place of libcrypto's, for libssl too: clients that come again and again know the certificate
// and do not parse it anew, as browsers don't. OpenSSL 3.0 takes as long for that as for all the
// rest of a handshake. The signature of each handshake is verified by its key all the same.
extern "C" X509* d2i_X509(X509** out, const unsigned char** in, long size) {
  static std::string known;
  static X509* parsed = nullptr;
  const std::string_view octets(reinterpret_cast<const char*>(*in), static_cast<std::size_t>(size));
  if (octets != known) {
    X509_free(parsed);
    const auto* at = *in;
    auto* item = ASN1_item_d2i(nullptr, &at, size, ASN1_ITEM_rptr(X509));
    parsed = reinterpret_cast<X509*>(item);
    known = parsed != nullptr ? octets : std::string_view();
  }
  if (parsed == nullptr) return nullptr;
  X509_up_ref(parsed);
  *in += size;
  if (out == nullptr) return parsed;
  X509_free(*out);
  return *out = parsed;
}

namespace nat::bench {

namespace {

struct arrivals {
  rate all{};
  double by_own_cpu = 0;  // a second of the clients' processor time: what they could at most
  double resumed = 0;     // of all, the share
};

arrivals visit(const server& s, privacy what) {
  constexpr int at_once = 64;
  visitors clients(s.port(), at_once, what);
  const auto run = [&](std::chrono::milliseconds how_long) {
    for (const auto start = clock_type::now(); clock_type::now() - start < how_long;)
      clients.turn();
  };
  run(std::chrono::milliseconds{500});  // what is made once, and sessions to resume
  const auto before = clients.count(), resumed = clients.resumed();
  const auto start = clock_type::now();
  const auto cpu = s.cpu_seconds(), own = cpu_seconds(::getpid());
  run(std::chrono::seconds{3});
  const auto count = static_cast<double>(clients.count() - before);
  return {{count / since(start), count / (s.cpu_seconds() - cpu)},
          count / (cpu_seconds(::getpid()) - own),
          static_cast<double>(clients.resumed() - resumed) / count};
}

void show(const std::string& what, const arrivals& a, double target) {
  report("signaling_new_" + what, a.all.by_wall, "1/s", target);
  report("signaling_new_" + what + "_per_cpu_second", a.all.by_cpu, "1/s", target);
  report("signaling_new_" + what + "_per_cpu_second_of_the_clients", a.by_own_cpu, "1/s", 0);
}

}  // namespace

void connect(const std::string& binary, int threads, const test::test_certificate* certificate) {
  const auto words = ours(binary, threads, certificate);
  const pinned here(core(1));
  if (certificate == nullptr) {
    show("connections", visit(server(words, core(0)), privacy::none), 15'000);
    return;
  }
  const auto whole = visit(server(words, core(0)), privacy::whole_handshakes);
  ensure(whole.resumed == 0);
  show("tls_connections", whole, 2'000);
  const auto again = visit(server(words, core(0)), privacy::resumed_sessions);
  ensure(again.resumed > 0.9);
  show("resumed_tls_connections", again, 0);
}

}  // namespace nat::bench
