#include "tests/signaling/soak/good_relayed.hpp"

#include "protocol/signal/messages.hpp"
#include "tests/check.hpp"
#include "tests/signaling/soak/soak_ends.hpp"

namespace nat::test {

namespace {

namespace attr = stun::attr;
constexpr auto tcp_only = raw_client::start::tcp_only;
constexpr std::uint16_t channel = 0x4abc;

// Numbered, so that what was sent twice is known for what it is.
bytes numbered(random_source& random, std::uint32_t number, std::size_t size) {
  bytes out(size + 4);
  random.fill(out);
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::byte>(number >> (8 * i));
  return out;
}
std::uint32_t number_of(byte_view data) {
  REQUIRE(data.size() >= 4);
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out |= std::to_integer<std::uint32_t>(data[i]) << (8 * i);
  return out;
}

// The next that is not an earlier one once more, octet by octet; false: nothing came.
template <class Receive>
bool arrives(const bytes& expected, Receive receive) {
  for (;;) {
    const auto got = receive();
    if (!got) return false;
    if (number_of(*got) < number_of(expected)) continue;
    REQUIRE(*got == expected);
    return true;
  }
}

template <class User>
void bind_asks(User& user, const endpoint& local) {
  std::array<std::byte, 32> buffer;
  seeded_random random{3};
  stun::message_writer w(buffer, stun::binding_request, stun::make_transaction_id(random));
  user.end.send(*w.finish());
  const auto answer = user.end.receive();
  const auto view = stun::message_view::parse(answer);
  REQUIRE(view);
  REQUIRE(view->type() == stun::binding_success);
  REQUIRE(view->template get<attr::xor_mapped_address>() == local);
}

template <class User>
std::optional<bytes> data_for(User& user) {
  const auto message = user.end.try_receive();
  if (!message) return std::nullopt;
  const auto data = turn::parse_channel_data(*message);
  REQUIRE(data);
  REQUIRE(data->number == channel);
  return to_bytes(data->payload);
}

std::optional<bytes> data_for(const udp_end& peer, const endpoint& relayed) {
  if (!peer.readable_within(500)) return std::nullopt;
  endpoint from;
  auto got = peer.receive(&from);
  REQUIRE(from == relayed);
  return got;
}

// There and back, once more where a datagram got lost.
template <class User>
void exchange(User& user, const udp_end& peer, const endpoint& relayed, const bytes& there,
              const bytes& back) {
  for (int tries = 0; tries < 40; ++tries) {
    user.send(channel, as_text(there));
    if (!arrives(there, [&] { return data_for(peer, relayed); })) continue;
    peer.send(relayed, back);
    if (arrives(back, [&] { return data_for(user); })) return;
  }
  FAIL("what is relayed has not come in 20 s");
}

template <class User>
std::uint32_t refresh(User& user, std::uint32_t lifetime) {
  const auto answer =
      user.ask(stun::method::refresh, [&](auto& w) { w.template put<attr::lifetime>(lifetime); });
  REQUIRE(User::code(answer) == 0);
  const auto granted = stun::message_view::parse(answer)->template get<attr::lifetime>();
  REQUIRE(granted);
  return *granted;
}

}  // namespace

good_relayed::relay good_relayed::learn() const {
  auto c = host_.arrive({.from = from_});
  const auto text = c.join(name_, public_host::token_member(host_.good_token(number_)));
  c.send_raw(close_frame(1000));
  c.read_close();
  const auto message = signal::parse_server_message(text);
  REQUIRE(message);
  const auto scheme = by_ == transport_to_turn::tls ? "turns:" : "turn:";
  const auto transport = by_ == transport_to_turn::udp ? "?transport=udp" : "?transport=tcp";
  for (const auto& server : std::get<signal::registered_message>(*message).ice_servers) {
    for (const std::string_view url : server.urls) {
      if (!url.starts_with(scheme) || !url.ends_with(transport)) continue;
      const auto where = url.substr(std::string_view(scheme).size());
      const auto parsed = parse_endpoint(where.substr(0, where.find('?')));
      REQUIRE(parsed);
      return {*parsed, server.username, server.credential};
    }
  }
  FAIL("not announced: " << scheme << transport << " in " << text);
  return {};
}

template <class User>
void good_relayed::use(User& user) {
  bind_asks(user, user.end.local());
  const auto relayed = user.relayed();
  const udp_end peer(public_host::good_peer);
  user.bind(channel, peer.local());
  seeded_random random{number_};
  std::uint32_t number = 0;
  for (const std::size_t size : {0U, 1U, 2U, 3U, 160U, 1'200U}) {
    const auto there = numbered(random, ++number, size), back = numbered(random, ++number, size);
    round_trips.time([&] { exchange(user, peer, relayed, there, back); });
  }
  CHECK(refresh(user, 700) == 700);
  const auto there = numbered(random, ++number, 500), back = numbered(random, ++number, 900);
  exchange(user, peer, relayed, there, back);
  CHECK(refresh(user, 0) == 0);
}

void good_relayed::life() {
  const auto at = learn();
  const turn::rest_credentials credentials{at.username, at.password};
  if (by_ == transport_to_turn::udp) {
    basic_turn_user<patient_udp> user(credentials, at.server, from_);
    use(user);
  } else if (by_ == transport_to_turn::tcp) {
    basic_turn_user<steady_stream> user(credentials,
                                        raw_client(at.server, from_.c_str(), tcp_only));
    use(user);
  } else {
    basic_turn_user<steady_stream> user(
        credentials, raw_client(at.server, tls_settings{}, tcp_only, from_.c_str()));
    use(user);
  }
  ++lives;
}

}  // namespace nat::test
