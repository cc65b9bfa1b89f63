#include "signaling/io/config_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <optional>

#include <toml++/toml.h>

namespace nat::signaling::io {

namespace {

using kind = config_key::kind;

std::string_view word_for(kind k) {
  static constexpr std::array<std::string_view, 4> words{
      "true or false", "a number, without quotes", "a string in quotes",
      "a list of strings, or one string"};
  return words[static_cast<std::size_t>(k)];
}

// How many characters have to be put in, taken out or changed (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

std::string unknown(std::string_view name, const std::vector<config_key>& keys) {
  const auto nearest = std::ranges::min_element(
      keys, {}, [&](const config_key& k) { return distance(k.name, name); });
  return '"' + std::string(name) + "\" is no option; the nearest is " + nearest->name;
}

std::optional<std::string> number_of(const toml::node& value) {
  if (const auto* whole = value.as_integer()) return std::to_string(whole->get());
  const auto* real = value.as_floating_point();
  if (!real) return std::nullopt;
  std::array<char, 32> text;
  return std::string(text.data(),
                     std::to_chars(text.data(), text.data() + text.size(), real->get()).ptr);
}

bool is_printable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

std::string kind_error(const config_key& key) {
  return key.name + " takes " + std::string(word_for(key.takes));
}

// Adds what stands there; the error, if it can't be this option's.
std::optional<std::string> take_text(const toml::node& value, const config_key& key,
                                     std::vector<std::string>& out) {
  const auto* text = value.as_string();
  if (!text) return kind_error(key);
  if (text->get().empty()) return key.name + " is empty: leave the line out for the default";
  if (!is_printable(text->get())) return key.name + " holds a control character";
  out.push_back(text->get());
  return std::nullopt;
}

std::optional<std::string> take_value(const toml::node& value, const config_key& key,
                                      std::vector<std::string>& out) {
  if (key.takes == kind::flag) {
    const auto* flag = value.as_boolean();
    if (!flag) return kind_error(key);
    out.emplace_back(flag->get() ? "true" : "false");
    return std::nullopt;
  }
  if (key.takes == kind::number) {
    auto number = number_of(value);
    if (!number) return kind_error(key);
    out.push_back(std::move(*number));
    return std::nullopt;
  }
  const auto* list = value.as_array();
  if (!list || key.takes == kind::text) return take_text(value, key, out);
  if (list->empty()) return key.name + " is empty: leave the line out for the default";
  for (const auto& element : *list) {
    if (auto wrong = take_text(element, key, out)) return wrong;
  }
  return std::nullopt;
}

std::expected<config_entry, std::string> take_entry(std::string_view name, const toml::node& value,
                                                    const std::vector<config_key>& keys) {
  const auto key = std::ranges::find(keys, name, &config_key::name);
  if (value.is_table() || value.is_array_of_tables()) {
    return std::unexpected("options stand at the top level, not under \"" + std::string(name) +
                           '"');
  }
  if (key == keys.end()) return std::unexpected(unknown(name, keys));
  config_entry out{key->name, {}, 0};
  if (auto wrong = take_value(value, *key, out.values)) return std::unexpected(std::move(*wrong));
  return out;
}

}  // namespace

std::expected<std::vector<config_entry>, std::string> read_config(
    std::string_view text, const std::string& file, const std::vector<config_key>& keys) {
  const auto complaint = [&](std::size_t line, std::string_view what) {
    return std::unexpected(file + ':' + std::to_string(line) + ": " + std::string(what));
  };
  toml::table table;
  try {
    table = toml::parse(text, file);
  } catch (const toml::parse_error& wrong) {
    return complaint(wrong.source().begin.line, wrong.description());
  }
  std::vector<std::pair<std::size_t, const toml::key*>> order;  // a table is sorted by name
  for (const auto& [key, value] : table) order.emplace_back(key.source().begin.line, &key);
  std::ranges::sort(order, {}, [](const auto& o) { return o.first; });
  std::vector<config_entry> out;
  for (const auto& [line, key] : order) {
    auto entry = take_entry(key->str(), *table.get(key->str()), keys);
    if (!entry) return complaint(line, entry.error());
    entry->line = line;
    out.push_back(std::move(*entry));
  }
  return out;
}

}  // namespace nat::signaling::io
