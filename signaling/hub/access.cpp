#include "signaling/hub/access.hpp"

#include <algorithm>

namespace nat::hub {

namespace {

constexpr std::string_view blanks = " \t\r";

// The next word, taken off the front.
std::string_view take_word(std::string_view& line) noexcept {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const auto word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

bool fits_any(const std::vector<std::string>& patterns, std::string_view name) noexcept {
  return std::ranges::any_of(patterns, [&](const auto& p) { return fits(p, name); });
}

}  // namespace

bool fits(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0, n = 0, star = pattern.npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != pattern.npos) {
      p = star + 1;
      n = ++resume;  // the star takes one character more
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::expected<access, std::string> access::parse(std::string_view text, random_source& random) {
  access out(random);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (const auto wrong = out.add(line)) {
      return std::unexpected("line " + std::to_string(number) + ": " + *wrong);
    }
  }
  if (out.tokens_.empty()) return std::unexpected(std::string("there is no token in it"));
  return out;
}

std::optional<std::string> access::add(std::string_view line) {
  const auto token = take_word(line);
  if (token.empty() || token.starts_with('#')) return std::nullopt;
  if (token.size() > max_token_length) return "the token is too long";
  grant g{crypto::sha256({as_bytes(token)}), {}};
  for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
    if (g.patterns.size() == max_patterns) return "too many patterns";
    if (word.size() > max_pattern_length) return "a pattern is longer than any name";
    g.patterns.emplace_back(word);
  }
  tokens_.emplace(hash_(token), std::move(g));
  return std::nullopt;
}

access::verdict access::check(std::string_view name, std::optional<std::string_view> token,
                              std::int64_t unix_now) const {
  if (!token) return verdict::no_token;
  if (token->size() > max_token_length) return verdict::wrong_token;
  const auto known = check_static(name, *token);
  return known == verdict::wrong_token && signed_ ? check_signed(name, *token, unix_now) : known;
}

access::verdict access::check_static(std::string_view name, std::string_view token) const {
  const auto hash = crypto::sha256({as_bytes(token)});
  auto result = verdict::wrong_token;
  const auto [first, last] = tokens_.equal_range(hash_(token));
  for (auto known = first; known != last; ++known) {
    const auto& [known_hash, patterns] = known->second;
    if (!crypto::equal_constant_time(hash, known_hash)) continue;
    if (patterns.empty() || fits_any(patterns, name)) return verdict::granted;
    result = verdict::wrong_name;
  }
  return result;
}

access::verdict access::check_signed(std::string_view name, std::string_view token,
                                     std::int64_t unix_now) const {
  const auto claims = signed_->verify(token);
  if (!claims) return verdict::wrong_token;
  if (unix_now - leeway_seconds >= claims->expires ||
      unix_now + leeway_seconds < claims->not_before) {
    return verdict::untimely;
  }
  return fits_any(claims->names, name) ? verdict::granted : verdict::wrong_name;
}

}  // namespace nat::hub
