#pragma once

// One connection to a Redis on an event loop's poller, in the clear or through TLS. It reconnects
// by itself never: the cluster's member says when (signaling/cluster/member.hpp). Of hiredis it
// takes the reader alone: the asynchronous half asserts that the server keeps to the protocol, and
// so would end with it.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "protocol/tls/connection.hpp"
#include "signaling/io/poller.hpp"
#include "signaling/io/redis_reader.hpp"
#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

// None of them may call the line.
struct line_events {
  std::function<void()> before;  // whatever else is called; the time is to be looked at
  std::function<void()> connected;
  std::function<void(const std::string& why)> disconnected;
  std::function<void(const cluster::reply&)> replied;
};

class redis_line final : public pollable {
 public:
  // Through TLS where a context is given, which outlives the line.
  redis_line(poller&, const tls::client_context*, line_events);
  ~redis_line() override;

  // A failure is told as `disconnected` by the next flush(), as the system may refuse at once.
  void connect(const endpoint& server);
  // The same failure, where it is not even known where to.
  void refuse(std::string why) { end(std::move(why)); }
  // Silently; commands without a reply get none.
  void disconnect();
  // Once connected. Nothing leaves before flush().
  void send(const std::vector<std::string>& words);
  // Writes what can be written, and tells of a connection that could not be made.
  void flush();
  void handle_ready(std::uint32_t events) override;
  // Octets of memory that commands take until they are sent.
  [[nodiscard]] std::size_t kept() const noexcept { return out_.capacity() + records_.capacity(); }

 private:
  void watch(std::uint32_t events);
  void finish_connecting();
  void begin();
  void read_some();
  void decrypt(byte_view octets);
  [[nodiscard]] bool take(std::string_view replies);
  void write_some();
  [[nodiscard]] std::optional<std::string> tls_trouble() const;
  void end(std::string why);
  void tell_of_end();

  poller& poller_;
  const tls::client_context* context_;
  line_events events_;
  socket_handle socket_;
  std::optional<redis_reader> reader_;
  std::optional<tls::connection> tls_;
  std::string out_;                   // commands
  std::string records_;               // of TLS, which hold them
  std::size_t sent_ = 0;              // octets at the front of what is sent
  std::uint32_t watched_ = 0;         // by the poller
  bool open_ = false;                 // TCP is
  bool connected_ = false;            // and TLS
  std::optional<std::string> ended_;  // why, not told yet
};

}  // namespace nat::signaling::io
