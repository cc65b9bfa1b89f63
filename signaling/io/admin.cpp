#include "signaling/io/admin.hpp"

#include <unistd.h>

#include <memory>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "signaling/io/heap.hpp"
#include "signaling/io/upgrade.hpp"

namespace nat::signaling::io {

namespace {

namespace net = boost::asio;
using namespace std::chrono_literals;

constexpr auto request_timeout = 5s;
constexpr long max_visits = 64;  // at once

class visit : public std::enable_shared_from_this<visit> {
 public:
  visit(net::ip::tcp::socket socket, const admin_answers& answers, std::shared_ptr<int> counted)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        answers_(answers),
        counted_(std::move(counted)) {}

  void start() {
    timer_.expires_after(request_timeout);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code stopped) {
      boost::system::error_code ignored;
      if (!stopped) self->socket_.close(ignored);
    });
    net::async_read_until(
        socket_, net::dynamic_buffer(head_, max_upgrade_bytes), "\r\n\r\n",
        [self = shared_from_this()](boost::system::error_code wrong, std::size_t size) {
          if (wrong) return self->timer_.cancel(), void();
          self->answer(std::string_view(self->head_).substr(0, size));
        });
  }

 private:
  void answer(std::string_view head) {
    const auto get = read_get(head);
    if (!get.good) return respond(http_response(get.status, "Only GET without a body.\n"));
    if (get.path == "/healthz") return respond(http_response(200, "ok\n"));
    if (get.path == "/readyz") {
      const auto [ready, details] = answers_.ready();
      return respond(
          http_response(ready ? 200 : 503, (ready ? "ready\n" : "not ready\n") + details));
    }
    if (get.path == "/heap") {
      return respond(http_response(200, std::to_string(heap_bytes()) + '\n'));
    }
    if (get.path != "/metrics") {
      return respond(http_response(404, "There are /healthz, /readyz, /metrics and /heap.\n"));
    }
    answers_.metrics([self = shared_from_this()](const std::string& text) {
      self->respond(http_response(200, text, "text/plain; version=0.0.4; charset=utf-8"));
    });
  }

  void respond(std::string text) {
    out_ = std::move(text);
    net::async_write(socket_, net::buffer(out_),
                     [self = shared_from_this()](boost::system::error_code, std::size_t) {
                       boost::system::error_code ignored;
                       self->socket_.shutdown(net::ip::tcp::socket::shutdown_both, ignored);
                       self->timer_.cancel();
                     });
  }

  net::ip::tcp::socket socket_;
  net::steady_timer timer_;
  const admin_answers& answers_;
  std::shared_ptr<int> counted_;
  std::string head_, out_;
};

}  // namespace

admin::admin(net::io_context& context, socket_handle listening, admin_answers answers)
    : acceptor_(context), pause_(context), answers_(std::move(answers)) {
  const auto family =
      local_endpoint(listening.get()).ip.v4 ? net::ip::tcp::v4() : net::ip::tcp::v6();
  acceptor_.assign(family, ::dup(listening.get()));
  accept();
}

void admin::accept() {
  acceptor_.async_accept([this](boost::system::error_code wrong, net::ip::tcp::socket socket) {
    if (wrong == net::error::operation_aborted) return;
    if (!wrong) {
      if (visits_.use_count() <= max_visits) {
        std::make_shared<visit>(std::move(socket), answers_, visits_)->start();
      }
      return accept();
    }
    pause_.expires_after(100ms);  // no descriptor left, most likely
    pause_.async_wait([this](boost::system::error_code stopped) {
      if (!stopped) accept();
    });
  });
}

}  // namespace nat::signaling::io
