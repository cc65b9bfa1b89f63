#include "signaling/io/redis_reader.hpp"

#include "tests/check.hpp"

namespace nat::test {
namespace {

using cluster::reply;
using signaling::io::redis_reader;

struct told {
  std::vector<reply> replies;
  std::string error;
};

// In pieces of that many octets.
told read(std::string_view text, std::size_t piece = 1 << 20) {
  told out;
  redis_reader reader;
  for (; !text.empty() && out.error.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    const auto good =
        reader.feed(text.substr(0, piece), [&](const reply& r) { out.replies.push_back(r); });
    if (!good) out.error = good.error();
  }
  return out;
}

constexpr std::string_view every_kind =
    "+OK\r\n-ERR no\r\n:-7\r\n$4\r\na\r\nb\r\n$-1\r\n$0\r\n\r\n*0\r\n*-1\r\n"
    "*4\r\n:1\r\n$2\r\nhi\r\n$-1\r\n+s\r\n";

TEST_CASE("redis replies: every kind, however the stream is cut") {
  for (std::size_t piece = 1; piece <= every_kind.size(); ++piece) {
    const auto got = read(every_kind, piece);
    CHECK(got.error == "");
    REQUIRE(got.replies.size() == 9);
    const auto& r = got.replies;
    CHECK(r[0].what == reply::type::text);
    CHECK(r[0].text == "OK");
    CHECK(r[1].what == reply::type::error);
    CHECK(r[1].text == "ERR no");
    CHECK(r[2].what == reply::type::integer);
    CHECK(r[2].integer == -7);
    CHECK(r[3].text == "a\r\nb");
    CHECK(r[4].what == reply::type::nil);
    CHECK(r[5].what == reply::type::text);
    CHECK(r[6].what == reply::type::array);
    CHECK(r[7].what == reply::type::nil);
    REQUIRE(r[8].items.size() == 4);
    CHECK(r[8].items[0].integer == 1);
    CHECK(r[8].items[1].text == "hi");
    CHECK(r[8].items[2].what == reply::type::nil);
    CHECK(r[8].items[3].text == "s");
  }
}

TEST_CASE("redis replies: what no Redis says, or nobody asked for") {
  constexpr auto broken = "a broken reply", unasked = "an array that nobody asked for";
  struct row {
    std::string text;
    std::string_view error;
  };
  for (const auto& [text, error] : std::vector<row>{
           {std::string("\0\xff", 2), broken},
           {"HTTP/1.1 400 Bad Request\r\n", broken},
           {"$999999999999999999999\r\n", broken},
           {"$-2\r\n", broken},
           {"$x\r\n", broken},
           {":x\r\n", broken},
           {"*-2\r\n", broken},
           {"*2147483648\r\n", broken},
           {"*2147483647\r\n", unasked},
           {"*1025\r\n", unasked},
           {"*1\r\n*1\r\n:1\r\n", unasked},
           {"*2\r\n:1\r\n*0\r\n", unasked},
       }) {
    CAPTURE(text);
    for (const auto piece : {std::size_t{1}, text.size()}) {
      // What was good before is told.
      const auto got = read("+OK\r\n" + text + "+OK\r\n", piece);
      CHECK(got.error == error);
      CHECK(got.replies.size() == 1);
    }
  }
}

TEST_CASE("redis replies: one without an end is given up at the limit, whole ones have none") {
  redis_reader reader;
  const std::string piece(1 << 20, 'x'), small = "+OK\r\n";
  const auto ignore = [](const reply&) {};
  std::string many;
  for (int i = 0; i < 3000; ++i) many += small;
  for (std::size_t sum = 0; sum < 2 * redis_reader::max_reply_bytes; sum += many.size()) {
    REQUIRE(reader.feed(many, ignore));
  }
  REQUIRE(reader.feed("$2000000000\r\n", ignore));
  std::size_t taken = 0;
  while (reader.feed(piece, ignore)) taken += piece.size();
  CHECK(taken <= redis_reader::max_reply_bytes);
  CHECK(taken + (2 << 20) > redis_reader::max_reply_bytes);
}

TEST_CASE("redis replies: anything at all is read, or refused") {
  seeded_random random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(every_kind);
    for (int n = 0; n < 3; ++n) {
      text[random_below(random, text.size())] = static_cast<char>(random_below(random, 256));
    }
    const auto whole = read(text), cut = read(text, 1 + random_below(random, 7));
    CHECK(whole.replies.size() == cut.replies.size());
    CHECK(whole.error == cut.error);
  }
}

}  // namespace
}  // namespace nat::test
