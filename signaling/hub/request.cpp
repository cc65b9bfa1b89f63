#include "signaling/hub/request.hpp"

#include <algorithm>
#include <charconv>

#include "protocol/signal/messages.hpp"
#include "signaling/hub/json_scanner.hpp"

namespace nat::hub {

namespace {

constexpr std::array<std::string_view, request_types> type_names{"register",  "offer", "answer",
                                                                 "candidate", "bye",   "outcome"};

enum field : std::uint8_t {
  type,
  peer_id,
  target,
  sdp,
  session,
  candidate,
  reason,
  token,
  resume,
  path,
  connect_ms,
  field_count
};
constexpr std::array<std::string_view, field_count> field_names{
    "type",   "peer_id", "target", "sdp",  "session",   "candidate",
    "reason", "token",   "resume", "path", "connect_ms"};

std::string quoted(field f) {
  return "the field \"" + std::string(field_names[f]) + '"';
}

// Reads fields one after the other. The first thing that is wrong is remembered and reported once,
// so that reading needs no checks in between.
class field_reader {
 public:
  explicit field_reader(std::string_view text) {
    std::string scratch;
    json_scanner scanner(text);
    while (const auto member = scanner.next()) {
      const auto key = unescaped(member->key.raw, scratch);
      const auto known = std::ranges::find(field_names, key);
      if (known != field_names.end()) {
        all_[static_cast<std::size_t>(known - field_names.begin())] = member->value;
      }
    }
    if (!scanner.complete()) bad("the message is not a JSON object, or is nested too deeply");
  }

  [[nodiscard]] const std::optional<refusal>& wrong() const { return wrong_; }
  [[nodiscard]] const json_token& operator[](field f) const { return all_[f]; }

  void refuse(error_code code, std::string message) {
    if (!wrong_) wrong_ = refusal{code, std::move(message)};
  }
  void bad(std::string message) { refuse(error_code::bad_message, std::move(message)); }

  // Empty where it is not a string.
  std::string_view raw_string(field f) {
    if (all_[f].kind == json_kind::string) return all_[f].raw;
    bad(quoted(f) + (all_[f].kind == json_kind::absent ? " is missing" : " must be a string"));
    return {};
  }
  std::string_view text(field f, std::string& scratch) {
    const auto raw = raw_string(f);
    return raw.empty() ? raw : unescaped(raw, scratch);
  }
  // null stands for absent where a field is optional.
  [[nodiscard]] bool absent(field f) const {
    return all_[f].kind == json_kind::absent || all_[f].kind == json_kind::null;
  }
  std::string_view optional_raw_string(field f) {
    return absent(f) ? std::string_view() : raw_string(f);
  }
  std::optional<std::string_view> optional_text(field f, std::string& scratch) {
    return absent(f) ? std::nullopt : std::optional(text(f, scratch));
  }
  std::string_view name(field f, std::string& scratch) {
    const auto name = text(f, scratch);
    if (!signal::is_peer_id(name)) {
      refuse(error_code::bad_peer_id, quoted(f) + " must be 1 to 64 of A-Z a-z 0-9 . _ ~ -");
    }
    return name;
  }
  // The index of what a field says in a list of words.
  template <std::size_t N>
  std::optional<std::size_t> word(field f, const std::array<std::string_view, N>& words) {
    std::string scratch;
    const auto found = std::ranges::find(words, text(f, scratch));
    if (found == words.end()) return std::nullopt;
    return static_cast<std::size_t>(found - words.begin());
  }

 private:
  std::array<json_token, field_count> all_;
  std::optional<refusal> wrong_;
};

std::optional<request_type> read_type(field_reader& from) {
  if (const auto known = from.word(type, type_names)) return static_cast<request_type>(*known);
  std::string scratch;
  const auto name = from.text(type, scratch);
  from.bad(name.size() > 32 ? std::string("the type is unknown")
                            : "the type \"" + std::string(name) + "\" is unknown");
  return std::nullopt;
}

std::string_view read_candidate(field_reader& from) {
  const auto& found = from[candidate];
  if (found.kind == json_kind::absent) {
    from.bad(quoted(candidate) + " is missing");
  } else if (found.kind != json_kind::object && found.kind != json_kind::null) {
    from.bad(quoted(candidate) + " must be an object or null");
  }
  return found.raw;
}

void read_outcome(field_reader& from, request& out) {
  static constexpr std::array<std::string_view, outcome_paths> words{"direct", "relay", "failed"};
  if (const auto known = from.word(path, words)) {
    out.path = static_cast<outcome_path>(*known);
  } else {
    from.bad(quoted(path) + " must be \"direct\", \"relay\" or \"failed\"");
  }
  if (from.absent(connect_ms)) return;
  const auto& [kind, raw] = from[connect_ms];
  if (kind != json_kind::number ||
      std::from_chars(raw.data(), raw.data() + raw.size(), out.connect_ms).ec != std::errc() ||
      out.connect_ms < 0) {
    from.bad(quoted(connect_ms) + " must be a number, 0 or more");
  }
}

void read_rest(field_reader& from, request& out, std::array<std::string, 3>& scratch) {
  switch (out.type) {
    case request_type::register_:
      out.peer = from.name(peer_id, scratch[0]);
      out.token = from.optional_text(token, scratch[1]);
      out.resume = from.optional_text(resume, scratch[2]);
      return;
    case request_type::outcome:
      return read_outcome(from, out);
    case request_type::offer:
    case request_type::answer:
      out.sdp = from.raw_string(sdp);
      break;
    case request_type::candidate:
      out.candidate = read_candidate(from);
      break;
    case request_type::bye:
      out.reason = from.optional_raw_string(reason);
      break;
  }
  out.peer = from.name(target, scratch[0]);
  out.session = from.optional_raw_string(session);
}

// What can be told about a request that can't be read as a whole.
refusal explain(const field_reader& from, std::optional<request_type> known_type) {
  auto out = *from.wrong();
  out.request = known_type;
  if (from[target].kind == json_kind::string) {
    std::string scratch;
    const auto name = unescaped(from[target].raw, scratch);
    if (signal::is_peer_id(name)) out.target = name;
  }
  return out;
}

}  // namespace

std::string_view to_string(request_type t) noexcept {
  return type_names[static_cast<std::size_t>(t)];
}

std::expected<request, refusal> request_parser::parse(std::string_view text) {
  field_reader from(text);
  const auto known_type = read_type(from);
  request out;
  if (known_type) {
    out.type = *known_type;
    read_rest(from, out, scratch_);
  }
  if (from.wrong()) return std::unexpected(explain(from, known_type));
  return out;
}

}  // namespace nat::hub
