#pragma once

// The signaling protocol's messages as values. JSON stays inside the body. `sdp` and
// `candidate` are carried, never read here.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nat::signal {

inline constexpr std::size_t max_message_bytes = 65'536;
inline constexpr std::string_view subprotocol = "rendezvous.v1";

// 1 to 64 of A-Z a-z 0-9 . _ ~ -
[[nodiscard]] bool is_peer_id(std::string_view) noexcept;

// An entry of a browser's RTCIceServer list.
struct ice_server {
  std::vector<std::string> urls;
  std::string username, credential;
  bool operator==(const ice_server&) const = default;
};

// A browser's RTCIceCandidateInit. Absent as a whole (std::nullopt in candidate_message): no more.
struct ice_candidate {
  std::string candidate;  // "candidate:…" or empty: end of candidates as browsers also say it
  std::optional<std::string> mid;
  std::optional<std::uint16_t> mline_index;
  std::optional<std::string> ufrag;
  bool operator==(const ice_candidate&) const = default;
};

// `peer`: the target in what a client sends, the origin in what it receives.
struct register_message {
  std::string peer_id;
  std::optional<std::string> token, resume;
};
struct offer_message {
  std::string peer, sdp;
  std::optional<std::string> session;
};
struct answer_message {
  std::string peer, sdp;
  std::optional<std::string> session;
};
struct candidate_message {
  std::string peer;
  std::optional<ice_candidate> candidate;
  std::optional<std::string> session;
};
struct bye_message {
  std::string peer;
  std::optional<std::string> session, reason;
};
struct outcome_message {
  std::string path;
  double connect_ms;
};

struct registered_message {
  std::string peer_id, resume;
  std::vector<ice_server> ice_servers;
  std::uint32_t ttl;
};
struct error_message {
  std::string code, message;
  std::optional<std::string> request, target;
};
struct going_away_message {};

using client_message = std::variant<register_message, offer_message, answer_message,
                                    candidate_message, bye_message, outcome_message>;
// What a client receives: the server's own, and what other clients sent.
using server_message = std::variant<registered_message, error_message, going_away_message,
                                    offer_message, answer_message, candidate_message, bye_message>;

// For the peer: reading what the server sends, writing what a client sends. The server's side
// stands in signaling/hub, which carries sdp and candidate over as raw JSON.
struct parse_failure {
  std::string message;
};  // one sentence: what is wrong, in which field
[[nodiscard]] std::expected<server_message, parse_failure> parse_server_message(
    std::string_view text);
[[nodiscard]] std::string to_json(const client_message&);
[[nodiscard]] std::string to_json(const server_message&);
[[nodiscard]] std::expected<client_message, parse_failure> parse_client_message(
    std::string_view text);

}  // namespace nat::signal
