#pragma once

// A WebSocket client that is as polite or as rude as a test wants: a blocking TCP socket whose
// every read gives up, and fails the test, after ten seconds, every write after twenty.

#include <openssl/ssl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/endpoint.hpp"
#include "protocol/base/freed_by.hpp"
#include "tests/certificate.hpp"
#include "tests/signaling/websocket/frames.hpp"

namespace nat::test {

struct received_frame {
  unsigned opcode = 0;
  std::string payload;
  [[nodiscard]] unsigned close_code() const {
    if (payload.size() < 2) return 1005;
    return static_cast<unsigned>(static_cast<unsigned char>(payload[0]) << 8 |
                                 static_cast<unsigned char>(payload[1]));
  }
};

using session_ptr = std::unique_ptr<SSL_SESSION, freed_by<SSL_SESSION_free>>;

// How a client speaks TLS. The certificate is looked at by who asks for shows().
struct tls_settings {
  int version = TLS1_3_VERSION;
  SSL_SESSION* session = nullptr;  // to take up again
};

class raw_client {
 public:
  enum class start { tcp_only, upgraded };
  explicit raw_client(const endpoint& server, start = start::upgraded);
  // From an address of 127/8: what is counted by address counts it apart.
  raw_client(const endpoint& server, const char* from, start = start::upgraded);
  raw_client(const endpoint& server, const tls_settings&, start = start::upgraded,
             const char* from = "127.0.0.1");
  ~raw_client();
  raw_client(raw_client&& other) noexcept;
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  // False once the server has gone.
  bool send_raw(std::string_view octets) const;
  void say(std::string_view text) const { send_raw(frame(text)); }
  // The HTTP response's header, or as much of it as came.
  std::string read_head();
  // That many octets, fewer only where the connection has ended.
  std::string read_octets(std::size_t size);
  // nullopt: the connection has ended.
  std::optional<received_frame> read();
  // The next text, pings skipped; fails the test on anything else.
  std::string hear();
  // Reads to the end; the close frame's code, 0: none came.
  unsigned read_close();
  // Registers and returns the answer.
  std::string join(std::string_view name, std::string_view more_members = {});
  // Waits so long for the server to end the connection, and takes what it says until then.
  [[nodiscard]] bool ended_within(int milliseconds);
  // Whether there is something to hear, waiting so long for it.
  [[nodiscard]] bool hears_within(int milliseconds) const;
  // Lets so much time pass, less if the server has something to say.
  void quiet_for(int milliseconds) const;
  // Asks for WebSocket; `headers`: whole lines more. The response's header.
  std::string ask_upgrade(std::string_view headers = {});
  void upgrade(std::string_view headers = {});  // or the test fails
  void half_close() const;                      // says no more, and goes on listening
  void abort();                                 // with a reset
  [[nodiscard]] endpoint local() const;
  // When the kernel took what the server last said, in milliseconds before now.
  [[nodiscard]] unsigned heard_ms_ago() const;
  [[nodiscard]] bool shows(const test_certificate&) const;
  [[nodiscard]] session_ptr session() const;
  void close_tls() { SSL_shutdown(tls_.get()); }
  // The server has said close_notify.
  [[nodiscard]] bool closed_in_order() const;

 private:
  void connect(const endpoint& server, const char* from = "127.0.0.1");
  void secure(const tls_settings&);
  bool fill(std::size_t size);
  int socket_ = -1;
  std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, freed_by<SSL_free>> tls_;
  std::string in_;
};

inline constexpr std::string_view upgrade_request =
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

// The response to a GET, to its end.
[[nodiscard]] std::string http_get(const endpoint& server, std::string_view path);
// One figure of /metrics.
[[nodiscard]] double metric(const endpoint& admin, const std::string& name);
// Asks until it holds; the test fails where it does not in time.
void wait_until(std::string_view what, const std::function<bool()>& holds,
                std::chrono::seconds patience = std::chrono::seconds(20));

}  // namespace nat::test
