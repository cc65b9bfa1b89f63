#include "protocol/sdp/reader.hpp"

#include <utility>

#include "protocol/sdp/text.hpp"

namespace nat::sdp {
namespace {

using namespace text;

constexpr std::size_t max_candidates = 256;
constexpr std::size_t max_fingerprints = 8;
constexpr std::size_t max_mid = 64;

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// RFC 8122, 5: hash-func SP 2UHEX *(":" 2UHEX); 64 octets are the most (sha-512). Lower case, which
// some write, is as clear.
bool is_fingerprint(std::string_view value) {
  const auto hash = next_word(value);
  const auto hex = next_word(value);
  if (!all(hash, 1, 16, is_token_char) || !value.empty()) return false;
  if (hex.size() < 2 || hex.size() > 64 * 3 - 1 || hex.size() % 3 != 2) return false;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    if (i % 3 == 2 ? hex[i] != ':' : !is_hex(hex[i])) return false;
  }
  return true;
}

// Blanks separate them (RFC 8839, 5.6); libdatachannel writes commas.
bool has_word(std::string words, std::string_view wanted) {
  std::ranges::replace(words, ',', ' ');
  std::string_view rest = words;
  for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
    if (word == wanted) return true;
  }
  return false;
}

}  // namespace

bool reader::fail(std::string message) {
  error_ = {line_, std::move(message)};
  return false;
}

bool reader::take(std::string_view line) {
  ++line_;
  if (line_ == 1 && line != "v=0") return fail("a description starts with v=0");
  if (line.empty()) return true;
  if (line.size() < 2 || line[1] != '=') return fail("not of the form x=value");
  if (std::ranges::any_of(
          line, [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; })) {
    return fail("a control character");
  }
  const auto value = line.substr(2);
  switch (line[0]) {
    case 'o':
      return take_origin(value);
    case 'm':
      return take_media(value);
    case 'a': {
      const auto colon = value.find(':');
      return take_attribute(value.substr(0, colon), colon == std::string_view::npos
                                                        ? std::string_view{}
                                                        : value.substr(colon + 1));
    }
    default:
      return true;  // names, times and addresses decide nothing here
  }
}

bool reader::take_origin(std::string_view value) {
  (void)next_word(value);  // the user's name
  const auto id = number<std::uint64_t>(next_word(value));
  const auto version = number<std::uint64_t>(next_word(value));
  if (!id || !version) return fail("o= has no session id and version");
  out_.session_id = *id;
  out_.session_version = *version;
  return true;
}

bool reader::take_media(std::string_view value) {
  const auto media = next_word(value);
  const auto port = number<std::uint16_t>(next_word(value));
  const auto proto = next_word(value);
  const auto format = next_word(value);
  if (in_media_)
    return fail("a second m-line: one data channel section is all that is spoken here");
  if (media != "application") return fail("an m-line for something else than data channels");
  if (!port) return fail("the m-line has no port");
  if (proto != "UDP/DTLS/SCTP" && proto != "TCP/DTLS/SCTP" && proto != "DTLS/SCTP") {
    return fail("the m-line's protocol is not SCTP over DTLS");
  }
  in_media_ = true;
  refused_ = *port == 0;
  // Before RFC 8841 the format was the SCTP port, explained by a=sctpmap.
  if (const auto sctp_port = number<std::uint16_t>(format); sctp_port && *sctp_port != 0) {
    out_.sctp_port = *sctp_port;
  } else if (format != "webrtc-datachannel") {
    return fail("the m-line's format is not webrtc-datachannel");
  }
  return true;
}

bool reader::take_attribute(std::string_view name, std::string_view value) {
  bool known = false;
  const bool fine = take_shared(name, value, known);
  if (known) return fine;
  if (name == "group" && value.starts_with("BUNDLE")) {
    out_.bundle = true;
  } else if (name == "ice-lite") {
    out_.ice_lite = true;
  } else if (in_media_) {
    return take_media_attribute(name, value);
  }
  return true;
}

bool reader::take_shared(std::string_view name, std::string_view value, bool& known) {
  known = true;
  if (name == "ice-ufrag" || name == "ice-pwd") return take_ice(name, value);
  if (name == "fingerprint") return take_fingerprint(value);
  if (name == "setup") return take_setup(value);
  if (name == "ice-options") {
    (in_media_ ? media_ : session_).ice_options = value;
  } else if (name == "end-of-candidates") {
    out_.end_of_candidates = true;
  } else {
    known = false;
  }
  return true;
}

// RFC 8839, 5.4.
bool reader::take_ice(std::string_view name, std::string_view value) {
  auto& level = in_media_ ? media_ : session_;
  const bool is_ufrag = name == "ice-ufrag";
  if (!all(value, is_ufrag ? 4 : 22, 256, is_ice_char)) {
    return fail(is_ufrag ? "a=ice-ufrag is not 4 to 256 ice-chars"
                         : "a=ice-pwd is not 22 to 256 ice-chars");
  }
  (is_ufrag ? level.ufrag : level.password) = value;
  return true;
}

bool reader::take_fingerprint(std::string_view value) {
  auto& fingerprints = (in_media_ ? media_ : session_).fingerprints;
  if (!is_fingerprint(value)) return fail("a=fingerprint is not a hash and its octets");
  if (fingerprints.size() == max_fingerprints) return fail("more than 8 fingerprints");
  fingerprints.emplace_back(value);
  return true;
}

bool reader::take_setup(std::string_view value) {
  auto& setup = (in_media_ ? media_ : session_).setup;
  if (value == "actpass") {
    setup = sdp::setup::actpass;
  } else if (value == "active") {
    setup = sdp::setup::active;
  } else if (value == "passive") {
    setup = sdp::setup::passive;
  } else {
    return fail("a=setup is neither actpass, active nor passive");
  }
  return true;
}

bool reader::take_candidate(std::string_view value) {
  if (++candidate_lines_ > max_candidates) return fail("more than 256 candidates");
  if (auto parsed = parse_candidate(value)) out_.candidates.push_back(*std::move(parsed));
  return true;
}

bool reader::take_media_attribute(std::string_view name, std::string_view value) {
  if (name == "candidate") return take_candidate(value);
  if (name == "mid") {
    if (!all(value, 1, max_mid, is_token_char)) return fail("a=mid is not a token");
    out_.mid = value;
  } else if (name == "sctp-port") {
    const auto port = number<std::uint16_t>(value);
    if (!port || *port == 0) return fail("a=sctp-port is not a port");
    out_.sctp_port = *port;
  } else if (name == "max-message-size") {
    const auto size = number<std::size_t>(value);
    if (!size) return fail("a=max-message-size is not a number");
    out_.max_message_size = *size == 0 ? any_message_size : *size;
  } else if (name == "bundle-only") {
    bundle_only_ = true;
  }
  return true;
}

bool reader::finish() {
  line_ = 0;
  if (!in_media_) return fail("there is no m=application line");
  if (refused_ && !bundle_only_) return fail("the data channel section is refused (port 0)");
  const auto pick = [](std::string& media, std::string& session) -> std::string {
    return std::move(media.empty() ? session : media);
  };
  out_.ufrag = pick(media_.ufrag, session_.ufrag);
  out_.password = pick(media_.password, session_.password);
  out_.fingerprints =
      std::move(media_.fingerprints.empty() ? session_.fingerprints : media_.fingerprints);
  const auto options = media_.ice_options.value_or(session_.ice_options.value_or(""));
  out_.trickle = has_word(options, "trickle");
  out_.renomination = has_word(options, "renomination");
  if (out_.ufrag.empty() || out_.password.empty())
    return fail("a=ice-ufrag or a=ice-pwd is missing");
  if (out_.fingerprints.empty()) return fail("a=fingerprint is missing");
  const auto setup = media_.setup ? media_.setup : session_.setup;
  if (!setup) return fail("a=setup is missing");
  out_.setup = *setup;
  out_.bundle = out_.bundle && !out_.mid.empty();
  return true;
}

}  // namespace nat::sdp
