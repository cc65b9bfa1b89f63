#include "peer-cli/io/standard_streams.hpp"

#include <unistd.h>

#include <cstdio>
#include <deque>

#include <boost/asio/io_context.hpp>

#include "tests/check.hpp"

using namespace nat;

namespace {

std::string contents(int fd) {
  std::string out;
  char buffer[4096];
  for (off_t at = 0;;) {
    const auto n = ::pread(fd, buffer, sizeof buffer, at);
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    at += n;
  }
}

}  // namespace

TEST_CASE("what is written to a file is there once, however often the stream is looked at") {
  boost::asio::io_context context;
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const int fd = ::fileno(file);
  peer_io::output_stream out(context.get_executor(), fd);
  std::deque<bytes> queue;
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const auto line = "line " + std::to_string(i) + '\n';
    queue.push_back(to_bytes(as_bytes(line)));
    expected += line;
  }
  int told = 0;
  const auto advance = [&] {
    if (out.writing() || queue.empty()) return;
    out.write(queue.front(), [&](int error) {
      CHECK(error == 0);
      ++told;
      queue.pop_front();
    });
  };
  // As a busy loop does it: again and again, between a write and the word that it is done.
  while (!queue.empty()) {
    advance();
    advance();
    context.restart();
    context.poll_one();
  }
  CHECK(told == 50);
  CHECK(contents(fd) == expected);
  std::fclose(file);
}

TEST_CASE("a stream that goes away before its word is told tells nobody") {
  boost::asio::io_context context;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const bytes data(10, std::byte{'x'});
  int told = 0;
  {
    peer_io::output_stream out(context.get_executor(), ends[1]);
    out.write(data, [&](int) { ++told; });
  }
  context.run();
  CHECK(told == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}
