#include "stun/turn/channel_data.hpp"
#include "tests/check.hpp"
#include "tests/signaling/soak/hostile.hpp"

namespace nat::test {

namespace {

namespace attr = stun::attr;
using stun::method;
constexpr auto tcp_only = raw_client::start::tcp_only;
constexpr std::size_t most_lingering = 20, most_left_behind = 20;
constexpr std::uint16_t channel = 0x4123;

bytes binding_request(std::uint64_t seed) {
  std::array<std::byte, 32> buffer;
  seeded_random random{seed};
  stun::message_writer w(buffer, stun::binding_request, stun::make_transaction_id(random));
  return to_bytes(*w.finish());
}

bytes channel_data(std::uint16_t number, std::size_t size) {
  bytes buffer(size + 8);
  return to_bytes(*turn::write_channel_data(buffer, number, bytes(size, std::byte{'x'}), true));
}

template <class User>
int channel_to(User& user, const endpoint& peer) {
  return User::code(user.ask(method::channel_bind, [&](auto& w) {
    w.template put<attr::channel_number>(channel).template put<attr::xor_peer_address>(peer);
  }));
}

}  // namespace

std::vector<hostile_client::deed> hostile_relayed::deeds_of_a_round() {
  return {[this] { throws_datagrams(); },
          [this] { breaks_streams(); },
          [this] { breaks_handshakes(); },
          [this] { half_closes(); },
          [this] { lingers(); },
          [this] { shows_wrong_credentials(); },
          [this] { floods_with_forgeries(); },
          [this] { leaves_allocations(); },
          [this] { reaches_inside(); },
          [this] { never_reads(); }};
}

raw_client hostile_relayed::stream() {
  const auto& server = host_.server;
  const auto way = host_.has_tls() ? below(3) : 0;
  if (way == 0) return {server.stun, from_.c_str(), tcp_only};
  return {way == 1 ? server.stun : server.websocket, tls_settings{}, tcp_only, from_.c_str()};
}

turn::rest_credentials hostile_relayed::credentials() {
  return turn::mint_rest_credentials(public_host::turn_secret, "h" + from_, 4'000'000'000);
}

// Noise, and STUN and TURN that is noise further in: the cookie stands where it should.
void hostile_relayed::throws_datagrams() {
  const udp_end end((from_ + ":0").c_str());
  static constexpr unsigned char types[] = {0x01, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x11};
  for (int i = 0; i < 50; ++i) {
    auto datagram = noise(1200);
    if (datagram.size() >= 20 && below(4) != 0) {
      const auto length = (datagram.size() - 20) & ~std::size_t{3};
      const char head[] = {0,
                           static_cast<char>(types[below(std::size(types))]),
                           static_cast<char>(length >> 8),
                           static_cast<char>(length),
                           '\x21',
                           '\x12',
                           '\xa4',
                           '\x42'};
      datagram.resize(20 + length);
      datagram.replace(0, sizeof head, head, sizeof head);
    }
    end.send(host_.server.stun, as_bytes(datagram));
  }
}

// Garbage, lengths that are none, channels that nobody bound, the rest of a message that never
// comes; after good requests, or as the first.
void hostile_relayed::breaks_streams() {
  auto c = stream();
  const auto request = binding_request(chance_());
  const std::string good(as_text(request));
  if (below(2)) c.send_raw(good);
  const std::string bad[] = {noise(3000),
                             "GET / HTTP/1.1\r\n\r\n",
                             std::string("\x00\x01\x00\x03", 4) + noise(100),
                             std::string("\x00\x01\xff\xfc", 4) + noise(100),
                             std::string(as_text(channel_data(channel, 100))),
                             beginning_of(good)};
  c.send_raw(bad[below(std::size(bad))]);
  if (below(2)) c.abort();
}

// Half a handshake on either port, or a whole one's beginning and then noise.
void hostile_relayed::breaks_handshakes() {
  raw_client c(below(2) ? host_.server.stun : host_.server.websocket, from_.c_str(), tcp_only);
  auto hello = client_hello();
  switch (below(3)) {
    case 0:
      c.send_raw(beginning_of(hello));
      break;
    case 1:
      hello[below(hello.size())] ^= static_cast<char>(1 + below(255));
      c.send_raw(hello + noise(100));
      break;
    default:
      c.send_raw(hello);
      if (host_.has_tls()) (void)c.read_octets(64);
      c.send_raw(std::string("\x17\x03\x03\x00\x40", 5) + noise(64));
  }
  if (below(2)) {
    c.abort();
  } else if (lingering_.size() < most_lingering) {
    lingering_.push_back(std::move(c));
  }
}

void hostile_relayed::half_closes() {
  auto c = stream();
  const auto request = binding_request(chance_());
  const auto text = as_text(request);
  c.send_raw(below(2) ? std::string(text) : std::string(text) + beginning_of(text));
  c.half_close();
  (void)c.read_octets(std::size_t{1} << 20);  // to the end, which the server makes
}

// Stays until the server has enough of it.
void hostile_relayed::lingers() {
  lingering_.push_back(stream());
  const auto request = binding_request(chance_());
  lingering_.back().send_raw(beginning_of(as_text(request)));
  if (lingering_.size() > most_lingering) lingering_.pop_front();
}

void hostile_relayed::shows_wrong_credentials() {
  const auto at = [&](turn::rest_credentials by) {
    int code = 0;
    if (below(2)) {
      code = udp_user::code(udp_user(std::move(by), host_.server.stun, from_).allocate());
    } else {
      code = stream_user::code(stream_user(std::move(by), stream()).allocate());
    }
    CHECK(code == 401);
  };
  const auto secret = public_host::turn_secret;
  at(turn::mint_rest_credentials("south", "good-r0", 4'000'000'000));  // forged
  at(turn::mint_rest_credentials(secret, "good-r0", 1'000'000'000));   // expired
  at({credentials().username, "guess"});                               // wrong
  at({"good-r0", turn::rest_password(secret, "good-r0")});             // without an expiry
}

// With an integrity that is none, as fast as they go.
bytes hostile_relayed::forged_request() {
  static constexpr method methods[] = {method::allocate, method::refresh, method::create_permission,
                                       method::channel_bind};
  std::array<std::byte, 512> buffer;
  seeded_random random{chance_()};
  stun::message_writer w(buffer, {methods[below(std::size(methods))], stun::kind::request},
                         stun::make_transaction_id(random));
  w.put<attr::requested_transport>(17)
      .put<attr::username>(credentials().username)
      .put<attr::realm>("rendezvous")
      .put<attr::nonce>(std::string(40, '0'));
  return to_bytes(*w.finish_signed(as_bytes("a guess at a key")));
}

void hostile_relayed::floods_with_forgeries() {
  if (below(2)) {
    const udp_end end((from_ + ":0").c_str());
    for (int i = 0; i < 500; ++i) end.send(host_.server.stun, forged_request());
  } else {
    auto c = stream();
    for (int i = 0; i < 500 && c.send_raw(as_text(forged_request())); ++i) {
    }
    c.abort();
  }
}

// Over TCP it ends with its connection, over UDP after ten minutes.
void hostile_relayed::leaves_allocations() {
  if (left_behind_.size() < most_left_behind && below(2)) {
    left_behind_.emplace_back(credentials(), host_.server.stun, from_);
    REQUIRE(udp_user::code(left_behind_.back().allocate()) == 0);
    return;
  }
  stream_user user(credentials(), stream());
  REQUIRE(stream_user::code(user.allocate()) == 0);
  if (below(2)) user.end.client().abort();
}

// With good credentials, to where nothing may go: private ranges, the server itself, a program
// beside it.
void hostile_relayed::reaches_inside() {
  udp_user user(credentials(), host_.server.stun, from_);
  REQUIRE(udp_user::code(user.allocate()) == 0);
  for (const char* refused : {"10.1.2.3:80", "169.254.169.254:80", "192.168.0.1:53", "127.0.0.2:22",
                              "0.0.0.0:9", "224.0.0.1:9"}) {
    const auto answer = user.ask(method::create_permission, [&](auto& w) {
      w.template put<attr::xor_peer_address>(*parse_endpoint(refused));
    });
    CHECK_MESSAGE(udp_user::code(answer) == 403, std::string(refused));
  }
  std::array<std::byte, 256> buffer;
  for (const auto& inside : {host_.server.stun, host_.server.admin, victim_}) {
    seeded_random random{chance_()};
    stun::message_writer w(buffer, {method::send, stun::kind::indication},
                           stun::make_transaction_id(random));
    w.put<attr::xor_peer_address>(inside).put<attr::data>(as_bytes("evil"));
    user.end.send(*w.finish());
  }
  user.end.send(channel_data(0x4fff, 100));
  CHECK(channel_to(user, victim_) == 0);  // its address has relayed ports, too
  user.end.send(channel_data(channel, 100));
  user.end.send(channel_data(channel, 0));
  const auto released =
      user.ask(method::refresh, [](auto& w) { w.template put<attr::lifetime>(0); });
  CHECK(udp_user::code(released) == 0);
}

// Who gets more than it reads.
void hostile_relayed::never_reads() {
  stream_user user(credentials(), stream());
  const auto relayed = user.relayed();
  const udp_end peer(public_host::hostile_peer);
  REQUIRE(channel_to(user, peer.local()) == 0);
  const bytes payload(1'200, std::byte{'x'});
  for (int i = 0; i < 2'000; ++i) peer.send(relayed, payload);
  if (below(2)) user.end.client().abort();
}

void hostile_relayed::release_all() {
  for (auto& user : left_behind_) {
    const auto released =
        user.ask(method::refresh, [](auto& w) { w.template put<attr::lifetime>(0); });
    CHECK(udp_user::code(released) == 0);
  }
  left_behind_.clear();
}

}  // namespace nat::test
