#pragma once

// A strict reader of one JSON text (RFC 8259) that copies nothing: it checks every octet and hands
// out the raw token of each member of the outermost object. That is what forwarding needs: the
// other client gets `sdp` and `candidate` as they came, and may rely on them being JSON.
// Numbers stay text; that strings are UTF-8 has been checked where the text came from.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nat::hub {

inline constexpr int max_json_depth = 16;

enum class json_kind : std::uint8_t { absent, string, number, object, array, boolean, null };

struct json_token {
  json_kind kind = json_kind::absent;
  std::string_view raw{};  // a string's with its quotes
};

// Reads `{"key": value, …}` member by member.
class json_scanner {
 public:
  explicit json_scanner(std::string_view text) noexcept : text_(text) {}

  struct member {
    json_token key, value;
  };
  // nullopt: at the end, or wrong; complete() tells which.
  [[nodiscard]] std::optional<member> next() noexcept;
  // The text was one JSON object and nothing else, and all of it has been read.
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  enum class position : std::uint8_t { before, within, after };

  void skip_blanks() noexcept;
  bool accept(char) noexcept;
  bool accept_word(std::string_view) noexcept;
  bool accept_digits() noexcept;
  bool scan_string() noexcept;
  bool scan_escape() noexcept;
  bool scan_number() noexcept;
  bool scan_object(int depth) noexcept;
  bool scan_array(int depth) noexcept;
  [[nodiscard]] json_token scan_value(int depth) noexcept;
  void finish() noexcept;

  std::string_view text_;
  std::size_t at_ = 0;
  position position_ = position::before;
  bool complete_ = false;
};

// What a string token says. `scratch` is used where there are escapes.
[[nodiscard]] std::string_view unescaped(std::string_view raw, std::string& scratch);

}  // namespace nat::hub
