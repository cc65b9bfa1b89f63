#include "protocol/sdp/description.hpp"

#include "tests/check.hpp"
#include "tests/protocol/sdp/browsers.hpp"

using namespace nat;
using namespace nat::sdp;
namespace written_by = nat::test::sdp_text;

namespace {

std::string replaced(std::string_view in, std::string_view what, std::string_view by) {
  std::string out(in);
  const auto at = out.find(what);
  REQUIRE(at != std::string::npos);
  return out.replace(at, what.size(), by);
}

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

description read(std::string_view text) {
  const auto parsed = parse(text);
  if (!parsed) FAIL(parsed.error().message);
  return *parsed;
}

// What `text` is refused for; empty where it is not.
std::string refusal(std::string_view text) {
  const auto parsed = parse(text);
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("descriptions: every stack's is read, with either line end, and survives being written") {
  for (const auto& [writer, text] : written_by::examples) {
    CAPTURE(writer);
    const auto d = read(text);
    CHECK(read(with_crlf(text)) == d);
    CHECK(read(to_string(d)) == d);
    CHECK(d.mid == "0");
    CHECK(d.bundle);
    CHECK(d.sctp_port == 5000);
    CHECK(d.fingerprints.size() == 1);
    CHECK_FALSE(d.ice_lite);
  }
}

TEST_CASE("descriptions: Chromium's, field by field") {
  const auto d = read(written_by::chromium);
  CHECK(d.session_id == 6050589910756652027U);
  CHECK(d.session_version == 2);
  CHECK(d.ufrag == "4igg");
  CHECK(d.password == "yXXQBkcqxulEwlFlJL76zn67");
  CHECK(d.trickle);
  CHECK(d.setup == setup::actpass);
  CHECK(d.max_message_size == 262'144);
  CHECK_FALSE(d.end_of_candidates);
  REQUIRE(d.candidates.size() == 5);
  CHECK(d.candidates[0].host == "0e41cd5d-fcd1-4d3c-a1f1-4a1c32a1e0bd.local");
  CHECK(d.candidates[3].type == candidate_type::relay);
  CHECK(d.candidates[4].tcp == tcp_type::active);
}

TEST_CASE("descriptions: Firefox and libdatachannel put fingerprint and options at session level") {
  const auto firefox = read(written_by::firefox);
  CHECK(firefox.fingerprints[0].starts_with("sha-256 0B:5B:4F"));
  CHECK(firefox.trickle);
  CHECK(firefox.end_of_candidates);
  CHECK(firefox.max_message_size == 1'073'741'823);
  CHECK(firefox.candidates.size() == 3);
  const auto other = read(written_by::libdatachannel);
  CHECK(other.trickle);
  CHECK(other.fingerprints[0].starts_with("sha-256 F4:20"));
}

TEST_CASE("descriptions: the form from before RFC 8841, as aiortc offers") {
  const auto d = read(written_by::aiortc);
  CHECK(d.sctp_port == 5000);
  CHECK_FALSE(d.trickle);
  CHECK(d.candidates.size() == 2);
  CHECK(read(replaced(written_by::aiortc, "DTLS/SCTP 5000", "DTLS/SCTP 5001")).sctp_port == 5001);
}

TEST_CASE(
    "descriptions: max-message-size is 64 KiB where absent, and any where 0 (RFC 8841, 6.1)") {
  CHECK(read(written_by::pion).max_message_size == any_message_size);
  CHECK(read(replaced(written_by::pion, "a=max-message-size:0\n", "")).max_message_size == 65'536);
  CHECK(to_string(read(written_by::pion)).find("a=max-message-size:0\r\n") != std::string::npos);
}

TEST_CASE(
    "descriptions: session level holds where the media section says nothing, and only there") {
  auto text =
      replaced(written_by::chromium, "a=ice-ufrag:4igg\na=ice-pwd:yXXQBkcqxulEwlFlJL76zn67\n", "");
  text = replaced(text, "a=setup:actpass\n", "");
  text = replaced(text, "t=0 0\n",
                  "t=0 0\na=ice-ufrag:outer\na=ice-pwd:outerouterouterouterouter\n"
                  "a=setup:passive\na=fingerprint:sha-1 00:11\n");
  const auto d = read(text);
  CHECK(d.ufrag == "outer");
  CHECK(d.password == "outerouterouterouterouter");
  CHECK(d.setup == setup::passive);
  CHECK(d.fingerprints.size() == 1);
  CHECK(d.fingerprints[0].starts_with("sha-256 40:CC"));
  CHECK(read(replaced(text, "a=mid:0\n", "a=mid:0\na=ice-ufrag:inner\n")).ufrag == "inner");
}

TEST_CASE("descriptions: several fingerprints, renomination, ice-lite, no mid") {
  auto text = replaced(written_by::chromium, "a=setup", "a=fingerprint:sha-1 AA:bb:0C\na=setup");
  text = replaced(text, "ice-options:trickle", "ice-options:ice2 trickle renomination");
  text = replaced(text, "a=extmap-allow-mixed", "a=ice-lite");
  const auto d = read(text);
  CHECK(d.fingerprints.size() == 2);
  CHECK(d.fingerprints[1] == "sha-1 AA:bb:0C");
  CHECK(d.renomination);
  CHECK(d.ice_lite);
  CHECK(read(to_string(d)) == d);

  const auto bare =
      read(replaced(replaced(written_by::chromium, "a=mid:0\n", ""), "a=group:BUNDLE 0\n", ""));
  CHECK(bare.mid.empty());
  CHECK_FALSE(bare.bundle);
  CHECK(to_string(bare).find("mid") == std::string::npos);
  CHECK(to_string(bare).find("BUNDLE") == std::string::npos);
}

TEST_CASE("descriptions: what browsers need is written") {
  const description d{.session_id = 7,
                      .ufrag = "abcd",
                      .password = "0123456789012345678901",
                      .fingerprints = {"sha-256 00:11"},
                      .candidates = {*parse_candidate("1 1 udp 7 192.0.2.1 80 typ host")}};
  CHECK(to_string(d) ==
        "v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
        "a=candidate:1 1 udp 7 192.0.2.1 80 typ host\r\na=ice-ufrag:abcd\r\n"
        "a=ice-pwd:0123456789012345678901\r\na=ice-options:trickle\r\n"
        "a=fingerprint:sha-256 00:11\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\n"
        "a=max-message-size:65536\r\n");
}

TEST_CASE("descriptions: a candidate line that does not parse is skipped (RFC 8839, 5.1)") {
  const auto d =
      read(replaced(written_by::chromium, "a=candidate:2162486046 1 udp", "a=candidate:1 1 dccp"));
  CHECK(d.candidates.size() == 4);
}

TEST_CASE("descriptions: what is missing or malformed is named") {
  const auto without = [](std::string_view line) {
    return refusal(replaced(written_by::chromium, line, ""));
  };
  CHECK(without("a=ice-ufrag:4igg\n") == "a=ice-ufrag or a=ice-pwd is missing");
  CHECK(without("a=ice-pwd:yXXQBkcqxulEwlFlJL76zn67\n") == "a=ice-ufrag or a=ice-pwd is missing");
  CHECK(without("a=setup:actpass\n") == "a=setup is missing");
  CHECK(without("v=0\n") == "a description starts with v=0");
  CHECK(refusal("") == "there is no m=application line");
  CHECK(refusal("v=0\n") == "there is no m=application line");
  CHECK(refusal("\nv=0\n") == "a description starts with v=0");
  CHECK(refusal(written_by::chromium.substr(0, written_by::chromium.find("a=fingerprint"))) ==
        "a=fingerprint is missing");

  const auto changed = [](std::string_view what, std::string_view by) {
    return refusal(replaced(written_by::chromium, what, by));
  };
  CHECK_FALSE(changed("o=- 60", "o=- x60").empty());
  CHECK_FALSE(changed("o=- 6", "o=- 66666666666666666666").empty());
  CHECK_FALSE(changed("ufrag:4igg", "ufrag:4ig").empty());
  CHECK_FALSE(changed("ufrag:4igg", "ufrag:4i g").empty());
  CHECK_FALSE(changed("pwd:yXXQ", "pwd:y").empty());
  CHECK_FALSE(changed("setup:actpass", "setup:holdconn").empty());
  CHECK_FALSE(changed("sctp-port:5000", "sctp-port:0").empty());
  CHECK_FALSE(changed("sctp-port:5000", "sctp-port:70000").empty());
  CHECK_FALSE(changed("size:262144", "size:-1").empty());
  CHECK_FALSE(changed("size:262144", "size:99999999999999999999").empty());
  CHECK_FALSE(changed("mid:0", "mid:a b").empty());
  CHECK_FALSE(changed("sha-256 40", "sha-256 4").empty());
  CHECK_FALSE(changed("sha-256 40", "sha-256 4g").empty());
  CHECK_FALSE(changed("sha-256 40:", "sha-256 40-").empty());
  CHECK_FALSE(changed("sha-256 ", "sha-256").empty());
  CHECK_FALSE(changed("m=application 9 UDP", "m=audio 9 UDP").empty());
  CHECK_FALSE(changed("UDP/DTLS/SCTP", "UDP/TLS/RTP/SAVPF").empty());
  CHECK_FALSE(changed("webrtc-datachannel", "0").empty());
  CHECK_FALSE(changed("application 9", "application 70000").empty());
  CHECK_FALSE(changed("s=-\n", "nonsense\n").empty());
  CHECK_FALSE(changed("s=-\n", std::string_view("s=\0\n", 4)).empty());
  CHECK_FALSE(changed("s=-\n", "s=a\rb\n").empty());

  const auto second = parse(std::string(written_by::chromium) + "m=video 9 UDP/TLS/RTP/SAVPF 96\n");
  REQUIRE_FALSE(second);
  CHECK(second.error().line == 23);
}

TEST_CASE("descriptions: a refused section is told apart from a bundled one") {
  const auto refused = replaced(written_by::chromium, "application 9", "application 0");
  CHECK(refusal(refused) == "the data channel section is refused (port 0)");
  CHECK(refusal(replaced(refused, "a=mid:0\n", "a=mid:0\na=bundle-only\n")).empty());
}

TEST_CASE("descriptions: bounds") {
  const auto with = [](std::string_view line, std::size_t count) {
    std::string text(written_by::safari);
    for (std::size_t i = 0; i < count; ++i) text += line;
    return text;
  };
  const std::string_view candidate_line = "a=candidate:1 1 udp 7 192.0.2.1 80 typ host\n";
  CHECK(read(with(candidate_line, 256)).candidates.size() == 256);
  CHECK(refusal(with(candidate_line, 257)) == "more than 256 candidates");
  CHECK(refusal(with("a=candidate:junk\n", 257)) == "more than 256 candidates");
  CHECK(read(with("a=fingerprint:sha-256 00\n", 7)).fingerprints.size() == 8);
  CHECK(refusal(with("a=fingerprint:sha-256 00\n", 8)) == "more than 8 fingerprints");
  const auto padding = [&](std::size_t size) {
    const std::string text = std::string(written_by::safari) + "a=";
    return text + std::string(size - text.size(), 'x');
  };
  CHECK(refusal(padding(65'536)).empty());
  CHECK(refusal(padding(65'537)) == "a description of more than 64 KiB");
}

TEST_CASE("descriptions: cut off anywhere, the result is an error or a whole description") {
  for (const auto& [writer, text] : written_by::examples) {
    CAPTURE(writer);
    for (std::size_t size = 0; size < text.size(); ++size) {
      const auto parsed = parse(text.substr(0, size));
      if (!parsed) {
        CHECK_FALSE(parsed.error().message.empty());
        continue;
      }
      CHECK_FALSE(parsed->ufrag.empty());
      CHECK_FALSE(parsed->password.empty());
      CHECK_FALSE(parsed->fingerprints.empty());
      CHECK(parse(to_string(*parsed)) == *parsed);
    }
  }
}
