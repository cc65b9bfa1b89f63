#include "tests/signaling/io/raw_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "tests/check.hpp"

namespace nat::test {

raw_client::raw_client(const endpoint& server, start how) {
  connect(server);
  if (how == start::upgraded) upgrade();
}

raw_client::raw_client(const endpoint& server, const tls_settings& how, start where,
                       const char* from) {
  connect(server, from);
  secure(how);
  if (where == start::upgraded) upgrade();
}

raw_client::raw_client(const endpoint& server, const char* from, start how) {
  connect(server, from);
  if (how == start::upgraded) upgrade();
}

void raw_client::connect(const endpoint& server, const char* from) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(server.port);
  std::memcpy(&to.sin_addr, server.ip.octets.data(), 4);
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const timeval write_patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &write_patience, sizeof write_patience);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  ::inet_pton(AF_INET, from, &source.sin_addr);
  ::setsockopt(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0);
  REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
}

void raw_client::secure(const tls_settings& how) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context_.get(), how.version);
  SSL_CTX_set_max_proto_version(context_.get(), how.version);
  tls_.reset(SSL_new(context_.get()));
  SSL_set_fd(tls_.get(), socket_);
  if (how.session != nullptr) SSL_set_session(tls_.get(), how.session);
  REQUIRE(SSL_connect(tls_.get()) == 1);
}

std::string raw_client::ask_upgrade(std::string_view headers) {
  send_raw(std::string(upgrade_request) + std::string(headers) + "\r\n");
  return read_head();
}

void raw_client::upgrade(std::string_view headers) {
  const auto head = ask_upgrade(headers);
  REQUIRE_MESSAGE(head.starts_with("HTTP/1.1 101 "), head);
}

raw_client::~raw_client() {
  // Or OpenSSL takes the session for one that can't be resumed.
  if (tls_) SSL_set_shutdown(tls_.get(), SSL_SENT_SHUTDOWN);
  if (socket_ >= 0) ::close(socket_);
}

raw_client::raw_client(raw_client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      context_(std::move(other.context_)),
      tls_(std::move(other.tls_)),
      in_(std::move(other.in_)) {}

bool raw_client::send_raw(std::string_view octets) const {
  while (!octets.empty()) {
    errno = 0;
    const auto n = tls_ ? SSL_write(tls_.get(), octets.data(), static_cast<int>(octets.size()))
                        : ::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      FAIL("the server took nothing for 20 s");
    if (n <= 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool raw_client::fill(std::size_t size) {
  char buffer[65'536];
  while (in_.size() < size) {
    errno = 0;
    const auto n = tls_ ? SSL_read(tls_.get(), buffer, sizeof buffer)
                        : ::recv(socket_, buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      FAIL("the server said nothing for 10 s");
    if (n <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

std::string raw_client::read_head() {
  auto end = in_.npos;
  while ((end = in_.find("\r\n\r\n")) == in_.npos && fill(in_.size() + 1)) {
  }
  if (end == in_.npos) return std::exchange(in_, {});
  auto head = in_.substr(0, end + 4);
  in_.erase(0, end + 4);
  return head;
}

std::string raw_client::read_octets(std::size_t size) {
  if (!fill(size)) return std::exchange(in_, {});
  auto out = in_.substr(0, size);
  in_.erase(0, size);
  return out;
}

std::optional<received_frame> raw_client::read() {
  if (!fill(2)) return std::nullopt;
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(in_[i]); };
  std::size_t header = 2, size = octet(1);
  REQUIRE(size <= 127);  // never masked
  if (size >= 126) {
    const std::size_t extra = size == 126 ? 2 : 8;
    if (!fill(2 + extra)) return std::nullopt;
    header += extra;
    size = 0;
    for (std::size_t i = 2; i < header; ++i) size = size << 8 | octet(i);
  }
  if (!fill(header + size)) return std::nullopt;
  CHECK((octet(0) & 0xf0) == 0x80);  // whole, no extension
  received_frame out{octet(0) & 0x0fU, in_.substr(header, size)};
  in_.erase(0, header + size);
  return out;
}

std::string raw_client::hear() {
  for (;;) {
    auto got = read();
    REQUIRE(got.has_value());
    if (got->opcode == 9) continue;
    REQUIRE(got->opcode == 1);
    return std::move(got->payload);
  }
}

unsigned raw_client::read_close() {
  unsigned code = 0;
  while (const auto got = read()) {
    if (got->opcode == 8) code = got->close_code();
  }
  return code;
}

std::string raw_client::join(std::string_view name, std::string_view more_members) {
  say("{\"type\":\"register\",\"peer_id\":\"" + std::string(name) + '"' +
      std::string(more_members) + '}');
  auto answer = hear();
  REQUIRE_MESSAGE(answer.starts_with("{\"type\":\"registered\""), answer);
  return answer;
}

bool raw_client::ended_within(int milliseconds) {
  pollfd wanted{.fd = socket_, .events = POLLIN, .revents = 0};
  if (::poll(&wanted, 1, milliseconds) <= 0) return false;
  char buffer[4096];
  return ::recv(socket_, buffer, sizeof buffer, 0) <= 0;
}

bool raw_client::hears_within(int milliseconds) const {
  if (!in_.empty() || (tls_ && SSL_pending(tls_.get()) > 0)) return true;
  pollfd wanted{.fd = socket_, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, milliseconds) == 1;
}

void raw_client::quiet_for(int milliseconds) const {
  pollfd wanted{.fd = socket_, .events = POLLIN, .revents = 0};
  ::poll(&wanted, 1, milliseconds);
}

void raw_client::half_close() const {
  ::shutdown(socket_, SHUT_WR);
}

void raw_client::abort() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(std::exchange(socket_, -1));
}

endpoint raw_client::local() const {
  sockaddr_in name{};
  socklen_t size = sizeof name;
  REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&name), &size) == 0);
  return {make_v4(ntohl(name.sin_addr.s_addr)), ntohs(name.sin_port)};
}

unsigned raw_client::heard_ms_ago() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_last_data_recv;
}

bool raw_client::shows(const test_certificate& certificate) const {
  const std::unique_ptr<X509, freed_by<X509_free>> shown(SSL_get1_peer_certificate(tls_.get()));
  return certificate.is(shown.get());
}

session_ptr raw_client::session() const {
  return session_ptr(SSL_get1_session(tls_.get()));
}

bool raw_client::closed_in_order() const {
  return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string http_get(const endpoint& server, std::string_view path) {
  raw_client c(server, raw_client::start::tcp_only);
  c.send_raw("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  auto text = c.read_head();
  for (std::string more; !(more = c.read_head()).empty();) text += more;
  return text;
}

double metric(const endpoint& admin, const std::string& name) {
  const auto text = http_get(admin, "/metrics");
  const auto at = text.find('\n' + name + ' ');
  REQUIRE(at != text.npos);
  return std::stod(text.substr(at + name.size() + 2));
}

void wait_until(std::string_view what, const std::function<bool()>& holds,
                std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline,
                    "not in " << patience.count() << " s: " << what);
  }
}

}  // namespace nat::test
