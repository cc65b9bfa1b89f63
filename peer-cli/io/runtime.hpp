#pragma once

// Gives a session::peer the world: UDP sockets, TCP and TLS connections, the WebSocket, names,
// signals and the clock. Everything runs on one thread; after everything that happens, pump()
// drains the peer.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "peer-cli/io/announcements.hpp"
#include "peer-cli/io/gateways.hpp"
#include "peer-cli/io/http_exchange.hpp"
#include "peer-cli/io/interface_monitor.hpp"
#include "peer-cli/io/mdns_resolver.hpp"
#include "peer-cli/io/websocket.hpp"
#include "peer-cli/session/peer.hpp"
#include "protocol/crypto/system_random.hpp"
#include "protocol/dtls/certificate.hpp"
#include "stun/io/name_lookup.hpp"
#include "stun/io/stream.hpp"
#include "stun/io/udp_socket.hpp"

namespace nat::peer_io {

struct runtime_options {
  websocket_options server;
  std::function<session::signaling_token()> token;  // asked at each registration; empty: none
  std::vector<address> bind;                        // empty: all of the host's
  std::uint16_t port_low = 0, port_high = 0;
};

// A bad --bind or --port; the message is for a person.
struct setup_error {
  std::string message;
};

// What a command does with what happens. Called from the loop's thread, never re-entered.
class command {
 public:
  virtual ~command() = default;
  virtual void handle(session::peer_event&, session::peer&, time_point now) = 0;
  // After every drain, and at next_timeout: the moment to move payload.
  virtual void advance(session::peer&, time_point) {}
  [[nodiscard]] virtual std::optional<time_point> next_timeout() const { return std::nullopt; }
  virtual void interrupted(session::peer&, time_point) = 0;
  // Set once the command is over; the runtime then ends everything in order.
  [[nodiscard]] std::optional<session::exit_status> status() const { return status_; }

 protected:
  void finish(session::exit_status status) {
    if (!status_) status_ = status;
  }

 private:
  std::optional<session::exit_status> status_;
};

class runtime {
 public:
  runtime(runtime_options, session::peer_config);
  ~runtime();

  // Until the command has a status and what was open is given back.
  session::exit_status run(command&);

  [[nodiscard]] boost::asio::any_io_executor executor() { return context_.get_executor(); }
  // For a command's own callbacks: what was read or written changes what the peer has to do.
  void pump();

 private:
  using clock = std::chrono::steady_clock;

  void open_first_sockets();
  void follow_addresses();
  bool add_socket(const address&, std::string& why);
  void perform(session::request&);
  void perform(const session::resolve_server&);
  void perform(const ice::open_stream&);
  void perform(portmap::tcp_exchange&);
  void follow_gateways();
  void send(const transmit&);
  void arm();
  void wait_for_signal();
  void begin_stop();
  [[nodiscard]] bool may_end() const;

  runtime_options options_;
  boost::asio::io_context context_{1};
  crypto::system_random random_;
  dtls::certificate certificate_;
  session::peer peer_;
  websocket websocket_;
  mdns_resolver names_;
  interface_monitor interfaces_;
  boost::asio::steady_timer timer_;
  boost::asio::signal_set signals_;
  std::map<endpoint, stun::io::udp_socket> sockets_;
  std::uint16_t next_preference_ = 65'535;
  struct open_connection {
    std::optional<path> via;  // once open
    stun::io::stream stream;
  };
  std::map<std::uint32_t, open_connection> streams_;
  std::map<std::uint32_t, std::unique_ptr<stun::io::name_lookup>> lookups_;
  std::map<std::uint32_t, std::unique_ptr<http_exchange>> exchanges_;
  std::optional<announcements> announcements_;  // once there is a router to hear
  std::map<endpoint, unsigned> links_;          // each socket's interface
  command* command_ = nullptr;
  bool pumping_ = false, again_ = false, stopping_ = false;
  std::optional<time_point> armed_;
  std::optional<time_point> last_moment_;
};

}  // namespace nat::peer_io
