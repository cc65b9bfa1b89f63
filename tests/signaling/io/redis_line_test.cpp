// The connection to a Redis that reads slowly, but always, so that no write is ever whole and what
// is to be sent never comes to its end. Both ends on one thread.

#include "signaling/io/redis_line.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "stun/io/sockaddr.hpp"
#include "tests/protocol/tls/memory_client.hpp"

namespace nat::signaling::io {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t word_size = 65'536, words = 256;
constexpr std::size_t under_way = 16;    // of them; more than the kernel takes
constexpr int kernel_takes = 128 << 10;  // for each end; it takes twice that at the most
constexpr std::size_t bound = 6U << 20;  // of 16 MiB in all

std::string word(std::size_t i) {
  auto out = std::to_string(i) + ' ';
  out.resize(word_size, static_cast<char>('a' + i % 26));
  return out;
}

// Reads when it is told to, and compares.
class slow_redis {
 public:
  explicit slow_redis(const tls::server_context* context)
      : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (context != nullptr) tls_.emplace(*context);
    limit(listening_.get(), SO_RCVBUF);  // which what is accepted inherits
    const auto any = stun::io::to_socket_address({make_v4(0x7f000001), 0});
    REQUIRE(::bind(listening_.get(), &any.any, any.size) == 0);
    REQUIRE(::listen(listening_.get(), 1) == 0);
  }
  [[nodiscard]] endpoint where() const { return local_endpoint(listening_.get()); }

  // The line connects, and its kernel's buffer is made a small one.
  void welcome(redis_line& line) {
    const int next = ::fcntl(listening_.get(), F_DUPFD_CLOEXEC, 0);  // the lowest that is free
    ::close(next);
    line.connect(where());
    limit(next, SO_SNDBUF);
    socket_ = socket_handle(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(socket_);
  }

  // False: nothing came within that time.
  bool read_some(std::chrono::milliseconds patience) {
    pollfd wanted{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, static_cast<int>(patience.count())) != 1) return false;
    std::array<char, 32'768> buffer;
    const auto n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    REQUIRE(n > 0);
    std::string_view text(buffer.data(), static_cast<std::size_t>(n));
    if (tls_) {
      tls_->heard.clear();
      tls_->take(text);
      text = tls_->heard;
      const auto answer = std::exchange(tls_->out, {});
      REQUIRE(::send(socket_.get(), answer.data(), answer.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(answer.size()));
    }
    REQUIRE(reader_.feed(text, [this](const cluster::reply& r) {
      REQUIRE(r.items.size() == 1);
      REQUIRE(r.items[0].text == word(heard_++));
    }));
    return true;
  }
  [[nodiscard]] std::size_t heard() const { return heard_; }

 private:
  static void limit(int descriptor, int what) {
    REQUIRE(::setsockopt(descriptor, SOL_SOCKET, what, &kernel_takes, sizeof kernel_takes) == 0);
  }

  socket_handle listening_, socket_;
  std::optional<test::memory_end> tls_;
  redis_reader reader_;
  std::size_t heard_ = 0;
};

void speak_to(slow_redis& redis, const tls::client_context* context) {
  boost::asio::io_context loop;
  poller poll(loop, [] {}, [] {});
  poll.start();
  bool connected = false;
  redis_line line(poll, context,
                  {.before = [] {},
                   .connected = [&] { connected = true; },
                   .disconnected = [](const std::string& why) { FAIL(why); },
                   .replied = [](const cluster::reply&) { FAIL("a reply"); }});
  redis.welcome(line);
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!connected && std::chrono::steady_clock::now() < deadline) {
    loop.poll();
    (void)redis.read_some(0ms);
  }
  REQUIRE(connected);
  std::size_t said = 0, least = SIZE_MAX, most = 0;
  while (redis.heard() < words) {
    for (; said < words && said < redis.heard() + under_way; ++said) line.send({word(said)});
    line.flush();
    loop.poll();
    if (said < words) least = std::min(least, line.kept());
    most = std::max(most, line.kept());
    REQUIRE(redis.read_some(10s));
  }
  CHECK(least > word_size);  // never had all been sent
  CHECK(most < bound);
  loop.poll();
  line.flush();
  CHECK(line.kept() <= word_size);
}

TEST_CASE("a Redis that reads slowly gets all in order, and what it has read is not kept") {
  slow_redis redis(nullptr);
  speak_to(redis, nullptr);
}

TEST_CASE("and through TLS") {
  const test::test_certificate certificate;
  const auto server = test::context_of(certificate);
  const auto client = tls::client_context::make("127.0.0.1", certificate.certificate_pem());
  REQUIRE(client);
  slow_redis redis(&server);
  speak_to(redis, &*client);
}

}  // namespace
}  // namespace nat::signaling::io
