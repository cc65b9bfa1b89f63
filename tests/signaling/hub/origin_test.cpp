#include "signaling/hub/origin.hpp"

#include "tests/check.hpp"

namespace nat::hub {
namespace {

TEST_CASE("an origin is written as browsers write it (RFC 6454, 6.2)") {
  for (const auto& [given, sent] : std::initializer_list<std::pair<const char*, const char*>>{
           {"https://app.example", "https://app.example"},
           {"https://App.Example", "https://app.example"},
           {"HTTPS://app.example/", "https://app.example"},
           {"https://app.example:443", "https://app.example"},
           {"http://app.example:80/", "http://app.example"},
           {"http://app.example:443", "http://app.example:443"},
           {"https://app.example:8443", "https://app.example:8443"},
           {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
           {"http://192.0.2.7:3000", "http://192.0.2.7:3000"},
           {"http://[2001:DB8:0:0::7]:3000", "http://[2001:db8::7]:3000"},
           {"http://[2001:db8::7]:80", "http://[2001:db8::7]"},
           {"capacitor://localhost", "capacitor://localhost"},
           {"chrome-extension://abc", "chrome-extension://abc"},
           {"null", "null"}}) {
    const auto known = canonical_origin(given);
    CHECK_MESSAGE(known.value_or("refused") == sent, given);
  }
}

TEST_CASE("what no browser sends is refused, and said why") {
  for (const auto& [given, why] : std::initializer_list<std::pair<const char*, const char*>>{
           {"*", "leave it out"},
           {"", "no scheme"},
           {"app.example", "no scheme"},
           {"app.example:443", "no scheme"},
           {"//app.example", "no scheme"},
           {"://app.example", "a scheme that is none"},
           {"1://app.example", "a scheme that is none"},
           {"https://app.example/path", "more than an origin"},
           {"https://app.example//", "more than an origin"},
           {"https://app.example?x", "more than an origin"},
           {"https://app.example#x", "more than an origin"},
           {"https://", "a host"},
           {"https://*.app.example", "a host"},
           {"https://user@app.example", "a host"},
           {"https://app example", "a host"},
           {"https://b\xc3\xbc"
            "cher.example",
            "a host"},
           {"https://app.example:", "a port"},
           {"https://app.example:0", "a port"},
           {"https://app.example:65536", "a port"},
           {"https://app.example:x", "a port"},
           {"https://[::1", "a port"},
           {"https://[192.0.2.1]", "IPv6"},
           {"https://[::1]x", "IPv6"}}) {
    const auto known = canonical_origin(given);
    CHECK_FALSE(known.has_value());
    if (!known) CHECK_MESSAGE(known.error().contains(why), given << ": " << known.error());
  }
}

}  // namespace
}  // namespace nat::hub
