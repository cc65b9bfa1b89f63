#include "signaling/hub/json_scanner.hpp"

#include <charconv>
#include <cstring>

namespace nat::hub {

namespace {

std::optional<unsigned> hex4(std::string_view text) noexcept {
  if (text.size() < 4) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, value, 16);
  return error == std::errc() && end == text.data() + 4 ? std::optional(value) : std::nullopt;
}

bool is_high_surrogate(unsigned unit) noexcept {
  return unit >= 0xd800 && unit <= 0xdbff;
}
bool is_low_surrogate(unsigned unit) noexcept {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

// How many octets at the front can't end a string: no quote, backslash or control character.
// Eight at a time; the three tests mark an octet's highest bit ("Bit Twiddling Hacks", zero in
// word). A false alarm from a carry only ends the fast loop early.
std::size_t plain_run(std::string_view text) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U, highs = ones * 0x80;
  const auto zero_octets = [](std::uint64_t w) { return (w - ones) & ~w & highs; };
  std::size_t n = 0;
  for (std::uint64_t word = 0; n + sizeof word <= text.size(); n += sizeof word) {
    std::memcpy(&word, text.data() + n, sizeof word);
    const auto control = (word - ones * 0x20) & ~word & highs;
    if (zero_octets(word ^ ones * '"') | zero_octets(word ^ ones * '\\') | control) break;
  }
  while (n < text.size() && text[n] != '"' && text[n] != '\\' &&
         static_cast<unsigned char>(text[n]) >= 0x20) {
    ++n;
  }
  return n;
}

void append_utf8(std::string& out, unsigned point) {
  const auto put = [&](unsigned octet) { out += static_cast<char>(octet); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
  }
  put(0x80 | (point & 0x3f));
}

char simple_escape(char c) noexcept {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

}  // namespace

void json_scanner::skip_blanks() noexcept {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

bool json_scanner::accept(char c) noexcept {
  if (at_ == text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool json_scanner::accept_word(std::string_view word) noexcept {
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

bool json_scanner::accept_digits() noexcept {
  const auto start = at_;
  while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
  return at_ != start;
}

bool json_scanner::scan_string() noexcept {
  if (!accept('"')) return false;
  for (;;) {
    at_ += plain_run(text_.substr(at_));
    if (accept('"')) return true;
    if (!accept('\\') || !scan_escape()) return false;
  }
}

// The backslash has been read.
bool json_scanner::scan_escape() noexcept {
  if (!accept('u')) {
    if (at_ == text_.size() || !std::string_view("\"\\/bfnrt").contains(text_[at_])) return false;
    ++at_;
    return true;
  }
  const auto unit = hex4(text_.substr(at_));
  if (!unit || is_low_surrogate(*unit)) return false;
  at_ += 4;
  if (!is_high_surrogate(*unit)) return true;
  if (!accept_word("\\u")) return false;
  const auto low = hex4(text_.substr(at_));
  if (!low || !is_low_surrogate(*low)) return false;
  at_ += 4;
  return true;
}

bool json_scanner::scan_number() noexcept {
  accept('-');
  if (!accept('0') && !accept_digits()) return false;
  if (accept('.') && !accept_digits()) return false;
  if (accept('e') || accept('E')) {
    if (!accept('+')) accept('-');
    return accept_digits();
  }
  return true;
}

bool json_scanner::scan_object(int depth) noexcept {
  skip_blanks();
  if (accept('}')) return true;
  for (;;) {
    skip_blanks();
    if (!scan_string()) return false;
    skip_blanks();
    if (!accept(':') || scan_value(depth).kind == json_kind::absent) return false;
    if (accept('}')) return true;
    if (!accept(',')) return false;
  }
}

bool json_scanner::scan_array(int depth) noexcept {
  skip_blanks();
  if (accept(']')) return true;
  for (;;) {
    if (scan_value(depth).kind == json_kind::absent) return false;
    if (accept(']')) return true;
    if (!accept(',')) return false;
  }
}

// With the blanks on both sides of it.
json_token json_scanner::scan_value(int depth) noexcept {
  skip_blanks();
  const auto start = at_;
  const auto done = [&](bool good, json_kind kind) {
    if (!good) return json_token{};
    const auto raw = text_.substr(start, at_ - start);
    skip_blanks();
    return json_token{kind, raw};
  };
  if (at_ == text_.size() || depth >= max_json_depth) return {};
  switch (text_[at_]) {
    case '"':
      return done(scan_string(), json_kind::string);
    case '{':
      ++at_;
      return done(scan_object(depth + 1), json_kind::object);
    case '[':
      ++at_;
      return done(scan_array(depth + 1), json_kind::array);
    case 't':
      return done(accept_word("true"), json_kind::boolean);
    case 'f':
      return done(accept_word("false"), json_kind::boolean);
    case 'n':
      return done(accept_word("null"), json_kind::null);
    default:
      return done(scan_number(), json_kind::number);
  }
}

std::optional<json_scanner::member> json_scanner::next() noexcept {
  if (position_ == position::after) return std::nullopt;
  skip_blanks();
  if (position_ == position::before) {
    position_ = position::after;  // until it turns out to be an object
    if (!accept('{')) return std::nullopt;
    skip_blanks();
    if (accept('}')) {
      finish();
      return std::nullopt;
    }
  } else if (accept('}')) {
    finish();
    return std::nullopt;
  } else if (!accept(',')) {
    position_ = position::after;
    return std::nullopt;
  }
  position_ = position::after;
  skip_blanks();
  const auto start = at_;
  if (!scan_string()) return std::nullopt;
  const json_token key{json_kind::string, text_.substr(start, at_ - start)};
  skip_blanks();
  if (!accept(':')) return std::nullopt;
  const auto value = scan_value(1);
  if (value.kind == json_kind::absent) return std::nullopt;
  position_ = position::within;
  return member{key, value};
}

void json_scanner::finish() noexcept {
  position_ = position::after;
  skip_blanks();
  complete_ = at_ == text_.size();
}

std::string_view unescaped(std::string_view raw, std::string& scratch) {
  const auto text = raw.substr(1, raw.size() - 2);
  if (text.find('\\') == text.npos) return text;
  scratch.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      scratch += text[i];
    } else if (text[++i] != 'u') {
      scratch += simple_escape(text[i]);
    } else {
      auto point = *hex4(text.substr(i + 1));
      i += 4;
      if (is_high_surrogate(point)) {
        point = 0x10000 + ((point - 0xd800) << 10) + (*hex4(text.substr(i + 3)) - 0xdc00);
        i += 6;
      }
      append_utf8(scratch, point);
    }
  }
  return scratch;
}

}  // namespace nat::hub
