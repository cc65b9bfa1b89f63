#pragma once

// Peers and clients of a TURN server that block, and fail the test where nothing comes.

#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "protocol/base/big_endian.hpp"
#include "stun/credentials.hpp"
#include "stun/io/sockaddr.hpp"
#include "stun/io/udp_descriptor.hpp"
#include "stun/message.hpp"
#include "stun/turn/channel_data.hpp"
#include "stun/turn/rest_credentials.hpp"
#include "tests/check.hpp"
#include "tests/signaling/io/raw_client.hpp"

namespace nat::test {

class udp_end {
 public:
  explicit udp_end(const char* at = "127.0.0.1:0")
      : descriptor_(stun::io::open_udp(*parse_endpoint(at), {.report_errors = false})) {
    const int off = 0;  // each datagram by itself, not several as one
    REQUIRE(setsockopt(descriptor_, SOL_UDP, UDP_GRO, &off, sizeof off) == 0);
  }
  ~udp_end() { close(descriptor_); }
  udp_end(const udp_end&) = delete;
  udp_end& operator=(const udp_end&) = delete;

  [[nodiscard]] endpoint local() const { return stun::io::bound_to(descriptor_); }
  void send(const endpoint& to, byte_view data) const {
    const auto name = stun::io::to_socket_address(to);
    REQUIRE(sendto(descriptor_, data.data(), data.size(), 0, &name.any, name.size) ==
            static_cast<ssize_t>(data.size()));
  }
  [[nodiscard]] bool readable_within(int milliseconds) const {
    pollfd waiting{descriptor_, POLLIN, 0};
    return poll(&waiting, 1, milliseconds) == 1;
  }
  bytes receive(endpoint* from = nullptr) const {
    REQUIRE(readable_within(20'000));
    bytes out(2048);
    sockaddr_in6 name{};
    socklen_t size = sizeof name;
    const auto got =
        recvfrom(descriptor_, out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&name), &size);
    REQUIRE(got >= 0);
    out.resize(static_cast<std::size_t>(got));
    if (from) *from = stun::io::from_socket_address(reinterpret_cast<const sockaddr&>(name));
    return out;
  }

 private:
  int descriptor_;
};

// A client with TURN REST credentials. End: send(octets) to the server, receive() one message, and
// whether ChannelData is padded.
template <class End>
class basic_turn_user {
 public:
  template <class... To>
  basic_turn_user(turn::rest_credentials by, To&&... to)
      : end(std::forward<To>(to)...), by_(std::move(by)) {}
  template <class... To>
  basic_turn_user(std::string_view name, std::string_view secret, To&&... to)
      : basic_turn_user(turn::mint_rest_credentials(secret, name, 4'000'000'000),
                        std::forward<To>(to)...) {}
  // The answer; its transaction is checked.
  template <class Fill>
  bytes ask(stun::method m, Fill fill) {
    std::array<std::byte, 512> buffer;
    const auto id = stun::make_transaction_id(random_);
    stun::message_writer w(buffer, {m, stun::kind::request}, id);
    fill(w);
    if (nonce_.empty()) {
      end.send(*w.finish());
    } else {
      w.put<stun::attr::username>(by_.username)
          .template put<stun::attr::realm>("rendezvous")
          .template put<stun::attr::nonce>(nonce_);
      const auto key = stun::make_long_term_key(stun::password_algorithm::md5, by_.username,
                                                "rendezvous", by_.password);
      end.send(*w.finish_signed(key.view()));
    }
    auto answer = end.receive();
    const auto view = stun::message_view::parse(answer);
    REQUIRE(view);
    CHECK(view->id() == id);
    if (nonce_.empty()) {
      nonce_ = view->template get<stun::attr::nonce>().value_or("");
      REQUIRE(!nonce_.empty());
      return ask(m, fill);
    }
    return answer;
  }
  bytes allocate() {
    return ask(stun::method::allocate,
               [](auto& w) { w.template put<stun::attr::requested_transport>(17); });
  }
  // Allocates, and the relayed address.
  endpoint relayed() {
    const auto allocated = allocate();
    REQUIRE(code(allocated) == 0);
    return *stun::message_view::parse(allocated)->template get<stun::attr::xor_relayed_address>();
  }
  void bind(std::uint16_t number, const endpoint& peer) {
    const auto bound = ask(stun::method::channel_bind, [&](auto& w) {
      w.template put<stun::attr::channel_number>(number).template put<stun::attr::xor_peer_address>(
          peer);
    });
    CHECK(code(bound) == 0);
  }
  void send(std::uint16_t number, std::string_view text) {
    bytes buffer(text.size() + 8);
    end.send(*turn::write_channel_data(buffer, number, as_bytes(text), End::padded));
  }
  std::string receive(std::uint16_t number) {
    const auto message = end.receive();
    const auto data = turn::parse_channel_data(message);
    REQUIRE(data);
    CHECK(data->number == number);
    return std::string(as_text(data->payload));
  }
  static int code(const bytes& answer) {
    const auto error = stun::message_view::parse(answer)->get<stun::attr::error_code>();
    return error ? error->code : 0;
  }

  End end;

 private:
  turn::rest_credentials by_;
  std::string nonce_;
  seeded_random random_{7};
};

class udp_to_server : public udp_end {
 public:
  static constexpr bool padded = false;
  udp_to_server(const endpoint& server, const char* at) : udp_end(at), server_(server) {}
  using udp_end::send;
  void send(byte_view data) const { send(server_, data); }

 private:
  endpoint server_;
};

class turn_user : public basic_turn_user<udp_to_server> {
 public:
  turn_user(const endpoint& server, std::string_view name, std::string_view secret,
            const char* at = "127.0.0.1:0")
      : basic_turn_user(name, secret, server, at) {}
};

// One connection that carries whole messages.
class stream_end {
 public:
  static constexpr bool padded = true;
  explicit stream_end(raw_client client) : client_(std::move(client)) {}

  void send(byte_view octets) const { REQUIRE(client_.send_raw(as_text(octets))); }
  bytes receive() {
    auto text = client_.read_octets(4);
    REQUIRE(text.size() == 4);
    const auto size = stun::stream_message_size(as_bytes(text));
    REQUIRE(size);
    text += client_.read_octets(*size - 4);
    REQUIRE(text.size() == *size);
    return to_bytes(as_bytes(text));
  }
  [[nodiscard]] raw_client& client() { return client_; }

 private:
  raw_client client_;
};
using stream_user = basic_turn_user<stream_end>;

}  // namespace nat::test
