#include "peer-cli/io/standard_streams.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

namespace nat::peer_io {

namespace net = boost::asio;
using net::posix::stream_descriptor;
using error_code = boost::system::error_code;

namespace {

// A file description of our own, so that O_NONBLOCK does not change what other processes share with
// us. Sockets can't be reopened; they are used as they are, a piece at a time.
int open_again(int descriptor, int flags) {
  struct stat status{};
  if (::fstat(descriptor, &status) == 0 &&
      (S_ISFIFO(status.st_mode) || ::isatty(descriptor) == 1)) {
    const auto name = "/proc/self/fd/" + std::to_string(descriptor);
    if (const int fd = ::open(name.c_str(), flags | O_NONBLOCK | O_CLOEXEC); fd >= 0) return fd;
  }
  return ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

// Files and some devices are always ready and can't be waited for.
bool can_wait(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 &&
         (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || ::isatty(descriptor) == 1);
}

}  // namespace

struct input_stream::state : std::enable_shared_from_this<state> {
  state(const net::any_io_executor& e, int fd)
      : executor(e), waits(can_wait(fd)), handle(open_again(fd, O_RDONLY)), descriptor(e) {
    if (waits) descriptor.assign(::fcntl(handle, F_DUPFD_CLOEXEC, 3));
  }
  ~state() { ::close(handle); }

  void start() {
    auto next = [self = shared_from_this()](error_code error) {
      if (!error) self->take();
    };
    if (waits) {
      descriptor.async_wait(stream_descriptor::wait_read, std::move(next));
    } else {
      net::post(executor, [next = std::move(next)] { next({}); });
    }
  }

  void take() {
    if (!callback) return;
    bytes data(most);
    const auto n = ::read(handle, data.data(), data.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return start();
    const int error_number = n < 0 ? errno : 0;
    data.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    std::exchange(callback, nullptr)(std::move(data), error_number);
  }

  net::any_io_executor executor;
  bool waits;
  int handle;
  stream_descriptor descriptor;
  std::size_t most = 0;
  std::function<void(bytes, int)> callback;
};

input_stream::input_stream(net::any_io_executor executor, int descriptor)
    : state_(std::make_shared<state>(executor, descriptor)) {}

input_stream::~input_stream() {
  state_->callback = nullptr;
  error_code ignored;
  state_->descriptor.close(ignored);
}

void input_stream::read(std::size_t most, std::function<void(bytes, int)> on_read) {
  state_->most = most;
  state_->callback = std::move(on_read);
  state_->start();
}

bool input_stream::reading() const {
  return state_->callback != nullptr;
}

struct output_stream::state : std::enable_shared_from_this<state> {
  state(const net::any_io_executor& e, int fd)
      : executor(e), waits(can_wait(fd)), handle(open_again(fd, O_WRONLY)), descriptor(e) {
    if (waits) descriptor.assign(::fcntl(handle, F_DUPFD_CLOEXEC, 3));
    const int flags = ::fcntl(handle, F_GETFL);
    // A descriptor that still blocks takes at least PIPE_BUF bytes once it is writable.
    piece = !waits || (flags >= 0 && (flags & O_NONBLOCK) != 0) ? SIZE_MAX : std::size_t{4096};
  }
  ~state() { ::close(handle); }

  // Tries at once: what a reader keeps up with never waits for the loop.
  void advance() {
    while (!data.empty()) {
      const auto n = ::write(handle, data.data(), std::min(data.size(), piece));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return wait();
      if (n < 0) return finish(errno);
      data = data.subspan(static_cast<std::size_t>(n));
      if (waits && piece != SIZE_MAX && !data.empty()) return wait();
    }
    finish(0);
  }

  void wait() {
    descriptor.async_wait(stream_descriptor::wait_write,
                          [self = shared_from_this()](error_code error) {
                            if (!error && self->callback) self->advance();
                          });
  }

  // Told from the loop, not from inside write(). Until then the stream stays busy: who looks at
  // writing() in between would hand in the same bytes again.
  void finish(int error_number) {
    data = {};
    net::post(executor, [self = shared_from_this(), error_number] {
      if (auto done = std::exchange(self->callback, nullptr)) done(error_number);
    });
  }

  net::any_io_executor executor;
  bool waits;
  int handle;
  stream_descriptor descriptor;
  std::size_t piece;
  byte_view data;
  std::function<void(int)> callback;
};

output_stream::output_stream(net::any_io_executor executor, int descriptor)
    : state_(std::make_shared<state>(executor, descriptor)) {}

output_stream::~output_stream() {
  state_->callback = nullptr;
  error_code ignored;
  state_->descriptor.close(ignored);
}

void output_stream::write(byte_view data, std::function<void(int)> on_written) {
  state_->data = data;
  state_->callback = std::move(on_written);
  if (state_->waits && state_->piece != SIZE_MAX) {
    state_->wait();
  } else {
    state_->advance();
  }
}

bool output_stream::writing() const {
  return state_->callback != nullptr;
}

void output_stream::when_reader_leaves(std::function<void()> on_left) {
  if (!state_->waits) return;
  state_->descriptor.async_wait(stream_descriptor::wait_error,
                                [weak = std::weak_ptr(state_), on_left](error_code error) {
                                  if (!error && !weak.expired()) on_left();
                                });
}

}  // namespace nat::peer_io
