#pragma once

// Session descriptions as browsers write them for one data channel m-line: RFC 8866, 8839, 8841,
// 8842, 9143. Reading is lenient where browsers differ and strict about bounds; writing gives what
// Chromium, Firefox and aiortc accept. Fingerprints stay text: protocol/dtls reads them. Left out
// on purpose: audio and video, more than one m-line, the m-line's own address (trickle makes it 9).

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/sdp/candidate.hpp"

namespace nat::sdp {

enum class setup : std::uint8_t { actpass, active, passive };

inline constexpr std::size_t any_message_size = SIZE_MAX;

struct description {
  std::uint64_t session_id = 0;  // o=
  std::uint64_t session_version = 1;
  std::string mid = "0";  // empty: none, and then no BUNDLE group (RFC 9143, 5)
  bool bundle = true;     // an answer may bundle only what the offer did (RFC 9143, 7.3)
  std::string ufrag, password;
  bool trickle = true;
  bool renomination = false;
  bool ice_lite = false;
  std::vector<std::string> fingerprints;  // "sha-256 AB:…", at least one
  sdp::setup setup = sdp::setup::actpass;
  std::uint16_t sctp_port = 5000;
  // What is assumed where it is absent (RFC 8841, 6.1). "0", any size, reads as any_message_size.
  std::size_t max_message_size = 65'536;
  std::vector<candidate> candidates;
  bool end_of_candidates = false;
  bool operator==(const description&) const = default;
};

struct parse_error {
  std::size_t line;     // 1-based; 0: something that should be there is missing
  std::string message;  // for a person
};

// At most 64 KiB, 256 candidates and 8 fingerprints. Candidate lines that don't parse are skipped
// (RFC 8839, 5.1), all else that is malformed is an error.
[[nodiscard]] std::expected<description, parse_error> parse(std::string_view text);
[[nodiscard]] std::string to_string(const description&);

}  // namespace nat::sdp
