#pragma once

// What a client asks for, read from one text message (SIGNALING.md). `sdp`, `candidate`, `session`
// and `reason` are checked to be JSON of the right kind and otherwise left as they came: the raw
// tokens are what the other client gets. Unknown fields are checked to be JSON and dropped. Of a
// field that stands there twice the last counts, as in a browser.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "signaling/hub/error_code.hpp"

namespace nat::hub {

enum class request_type : std::uint8_t { register_, offer, answer, candidate, bye, outcome };
inline constexpr std::size_t request_types = 6;
[[nodiscard]] std::string_view to_string(request_type) noexcept;

enum class outcome_path : std::uint8_t { direct, relay, failed };
inline constexpr std::size_t outcome_paths = 3;

// The views live as long as the text and until the parser's next call.
struct request {
  request_type type{};
  std::string_view peer{};  // the name to register, or the target; a valid name
  std::optional<std::string_view> token{}, resume{};
  std::string_view session{}, sdp{}, candidate{}, reason{};  // raw JSON; empty where absent
  outcome_path path = outcome_path::failed;
  double connect_ms = 0;
};

// Why not, with one sentence for a person.
struct refusal {
  error_code code{};
  std::string message;
  std::optional<request_type> request{};
  std::optional<std::string> target{};
};

class request_parser {
 public:
  [[nodiscard]] std::expected<request, refusal> parse(std::string_view text);
  void parse(std::string&&) = delete;  // views of a temporary would dangle

 private:
  std::array<std::string, 3> scratch_;  // of fields that were written with escapes
};

}  // namespace nat::hub
