// 6 UTF-8. Sequences by RFC 3629; every one as an sdp, and bare in a text of its own.

#include "tests/signaling/autobahn/cases.hpp"

namespace nat::test::autobahn {

namespace {

using octets = std::string;
const std::vector<std::string> refused{"close 1007"}, no_offer{"error bad-message"};
constexpr client_frame begin{.fin = false}, more{.opcode = 0, .fin = false}, end{.opcode = 0};
const octets kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

octets encoded(char32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

void add(table& out, int group, bool good, const std::vector<octets>& sequences, int n = 1) {
  for (const auto& one : sequences) {
    const auto id = "6." + std::to_string(group) + '.' + std::to_string(n++);
    if (good) {
      out.push_back({id, {text(one)}, {}, {one}});
    } else {
      out.push_back({id, {text(one)}, refused});
    }
    out.push_back({id + " bare", {frame(one)}, good ? no_offer : refused});
  }
}

void add_parts(table& out) {
  out.push_back({"6.1.1", {frame("")}, no_offer});
  out.push_back({"6.1.2", {frame("", begin), frame("", more), frame("", end)}, no_offer});
  out.push_back({"6.1.3",
                 {frame("", begin), frame(offer_of("middle"), more), frame("", end)},
                 {},
                 {"middle"}});
  const octets valid = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!";
  out.push_back({"6.2.1", {text(valid)}, {}, {valid}});
  const auto cut = offer_of(valid).find("\xc3\xa4");
  out.push_back(
      {"6.2.2",
       {frame(offer_of(valid).substr(0, cut), begin), frame(offer_of(valid).substr(cut), end)},
       {},
       {valid}});
  out.push_back({"6.2.3", fragments(offer_of(valid), 1), {}, {valid}});
  out.push_back({"6.2.4", fragments(offer_of(kosme), 1), {}, {kosme}});
  const octets bad = kosme +
                     "\xed\xa0\x80"
                     "edited";
  out.push_back({"6.3.1", {frame(bad)}, refused});
  out.push_back({"6.3.2", fragments(bad, 1), refused});
}

// The last frame is never sent: the close has to come without it. 6.4.3 and 6.4.4 are the same in
// one frame, and end with that frame.
void add_fail_fast(table& out) {
  const octets beyond = "\xf4\x90\x80\x80";
  out.push_back({"6.4.1", {frame(kosme, begin), frame(beyond, more)}, refused});
  out.push_back({"6.4.2", {frame(kosme + "\xf4", begin), frame("\x90", more)}, refused});
  const auto whole = frame(kosme + beyond + "edited");
  for (const auto* id : {"6.4.3", "6.4.4"}) out.push_back({id, {whole}, refused, {}, 1});
}

void add_prefixes(table& out) {
  for (std::size_t size = 1; size <= kosme.size(); ++size) {
    const auto prefix = kosme.substr(0, size);
    const bool good = size == 2 || size == 5 || size == 7 || size == 9 || size == 11;
    const auto id = "6.6." + std::to_string(size);
    if (good) {
      out.push_back({id, {text(prefix)}, {}, {prefix}});
    } else {
      out.push_back({id, {text(prefix)}, refused});
    }
    out.push_back({id + " bare", {frame(prefix)}, good ? no_offer : refused});
  }
}

void add_boundaries(table& out) {
  add(out, 5, true,
      {"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world",
       kosme});
  // The NUL is UTF-8 and no JSON.
  out.push_back({"6.7.1", {text(octets(1, '\0'))}, no_offer});
  add(out, 7, true, {"\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}, 2);
  add(out, 8, false, {"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"});
  add(out, 9, true, {"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"});
  add(out, 10, false, {"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"});
  add(out, 11, true, {"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"});
  add(out, 11, false, {"\xf4\x90\x80\x80"}, 5);
}

void add_broken(table& out) {
  octets continuations;
  for (int c = 0x80; c <= 0xbf; ++c) continuations += static_cast<char>(c);
  const octets six = "\x80\xbf\x80\xbf\x80\xbf";
  add(out, 12, false,
      {"\x80", "\xbf", six.substr(0, 2), six.substr(0, 3), six.substr(0, 4), six.substr(0, 5), six,
       continuations});
  std::vector<octets> lonely;
  for (const auto& [low, high] :
       {std::pair{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}}) {
    lonely.emplace_back();
    for (int c = low; c <= high; ++c) lonely.back() += {static_cast<char>(c), ' '};
  }
  add(out, 13, false, lonely);
  const std::vector<octets> unfinished{
      "\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
      "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"};
  add(out, 14, false, unfinished);
  octets together;
  for (const auto& one : unfinished) together += one;
  add(out, 15, false, {together});
  add(out, 16, false, {"\xfe", "\xff", "\xfe\xfe\xff\xff"});
}

void add_overlong(table& out) {
  add(out, 17, false,
      {"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
       "\xfc\x80\x80\x80\x80\xaf"});
  add(out, 18, false,
      {"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf",
       "\xfc\x83\xbf\xbf\xbf\xbf"});
  add(out, 19, false,
      {"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80",
       "\xfc\x80\x80\x80\x80\x80"});
}

void add_surrogates(table& out) {
  std::vector<octets> single, paired;
  for (const char32_t c : {0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff}) {
    single.push_back(encoded(c));
  }
  for (const char32_t high : {0xd800, 0xdb7f, 0xdb80, 0xdbff}) {
    for (const char32_t low : {0xdc00, 0xdfff}) paired.push_back(encoded(high) + encoded(low));
  }
  add(out, 20, false, single);
  add(out, 21, false, paired);
}

// Noncharacters and specials are characters as far as UTF-8 goes.
void add_specials(table& out) {
  std::vector<octets> noncharacters, specials;
  for (char32_t plane = 0; plane <= 0x10; ++plane) {
    for (const char32_t last : {0xfffe, 0xffff})
      noncharacters.push_back(encoded(plane << 16 | last));
  }
  for (char32_t c = 0xfff9; c <= 0xffff; ++c) specials.push_back(encoded(c));
  add(out, 22, true, noncharacters);
  add(out, 23, true, specials);
}

}  // namespace

table utf8_cases() {
  table out;
  add_parts(out);
  add_fail_fast(out);
  add_prefixes(out);
  add_boundaries(out);
  add_broken(out);
  add_overlong(out);
  add_surrogates(out);
  add_specials(out);
  return out;
}

}  // namespace nat::test::autobahn
