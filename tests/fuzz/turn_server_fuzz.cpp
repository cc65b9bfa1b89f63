// The TURN server as an attacker with an account sees it: a sequence of operations, some of them
// raw bytes, some well-formed and signed, relayed sockets that open, fail, or answer late, and
// time. After each the server's promises hold.

#include <cstdint>
#include <map>
#include <set>

#include "protocol/base/ensure.hpp"
#include "stun/credentials.hpp"
#include "stun/message.hpp"
#include "stun/turn/server.hpp"

namespace {

using namespace nat;
namespace attr = stun::attr;

class counting_random final : public random_source {
 public:
  void fill(byte_span out) override {
    for (auto& octet : out)
      octet = static_cast<std::byte>((state_ = state_ * 6364136223846793005ULL + 1) >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

class reader {
 public:
  explicit reader(byte_view data) : data_(data) {}
  [[nodiscard]] bool done() const { return data_.empty(); }
  std::uint8_t octet() {
    if (data_.empty()) return 0;
    const auto value = std::to_integer<std::uint8_t>(data_[0]);
    data_ = data_.subspan(1);
    return value;
  }
  byte_view some(std::size_t most) {
    const auto n = std::min(most, data_.size());
    const auto out = data_.first(n);
    data_ = data_.subspan(n);
    return out;
  }

 private:
  byte_view data_;
};

turn::server_config config() {
  turn::server_config c;
  c.users = {{"u", "p"}};
  c.lowest_port = 50000;
  c.highest_port = 50015;
  c.max_allocations = 6;
  c.max_allocations_per_name = 5;
  c.max_permissions = 3;
  c.max_channels = 2;
  c.max_reservations = 3;
  c.max_outbox = 16;
  c.v6 = turn::relay_address{*parse_address("2001:db8::1"), *parse_address("2001:db8::1")};
  return c;
}

struct world {
  counting_random random;
  time_point now{std::chrono::hours{1}};
  turn::server server{config(), random, 1'800'000'000, now};
  std::string nonce;
  std::set<turn::relay_id> opening, open;

  static path client(std::uint8_t n) {
    return {n % 4 == 3 ? transport::tcp : transport::udp,
            *parse_endpoint("192.0.2.1:3478"),
            {*parse_address("192.0.2.9"), static_cast<std::uint16_t>(1000 + n % 8)}};
  }
  static endpoint peer(std::uint8_t n) {
    static const address hosts[] = {*parse_address("1.1.1.1"),          *parse_address("127.0.0.1"),
                                    *parse_address("2600::1"),          *parse_address("192.0.2.1"),
                                    *parse_address("::ffff:127.0.0.1"), *parse_address("9.9.9.9")};
    return {hosts[n % 6], static_cast<std::uint16_t>(50000 + n / 6 % 16)};
  }

  void check(const turn::forward& f) const {
    if (const auto* out = std::get_if<turn::to_peer>(&f)) {
      ensure(open.contains(out->relay));
      const turn::peer_policy policy;
      ensure(policy.judge(out->peer.ip) == turn::peer_policy::verdict::allowed);
    } else if (const auto* in = std::get_if<turn::to_client>(&f)) {
      ensure(in->header_size >= 4 && in->padding < 4);
    }
  }
  void drain(reader& input) {
    while (const auto t = server.poll_transmit()) {
      const auto m = stun::message_view::parse(t->data);
      ensure(m.has_value());
      if (const auto fresh = m->get<attr::nonce>()) nonce = *fresh;
    }
    while (const auto e = server.poll_event()) {
      if (const auto* o = std::get_if<turn::open_relay>(&*e)) {
        ensure(opening.insert(o->relay).second && !open.contains(o->relay));
        const auto how = input.octet() % 8;
        if (how == 0) continue;  // answered later, or never
        answer(o->relay, how != 1);
      } else {
        ensure(open.erase(std::get<turn::close_relay>(*e).relay) == 1);
      }
    }
    const auto& c = server.counters();
    ensure(c.allocations <= 6 && open.size() <= 16 + 3);
    ensure(c.allocations > 0 || !server.next_timeout() || open.size() <= 3);
  }
  void answer(turn::relay_id id, bool works) {
    opening.erase(id);
    if (works) {
      open.insert(id);
      server.relay_opened(id, now);
    } else {
      server.relay_failed(id, now);
    }
  }
  void ask(reader& input) {
    static constexpr stun::method methods[] = {stun::method::allocate, stun::method::refresh,
                                               stun::method::create_permission,
                                               stun::method::channel_bind};
    const auto via = client(input.octet());
    std::array<std::byte, 1024> buffer;
    stun::message_writer w(buffer, {methods[input.octet() % 4], stun::kind::request},
                           stun::make_transaction_id(random));
    for (auto n = input.octet() % 5; n > 0; --n) put(w, input);
    if (nonce.empty()) {  // a stranger, until the first challenge
      if (const auto m = w.finish()) check(server.handle_client(via, *m, now).out);
      return;
    }
    w.put<attr::username>("u").put<attr::realm>("rendezvous").put<attr::nonce>(nonce);
    const auto key =
        stun::make_long_term_key(stun::password_algorithm::md5, "u", "rendezvous", "p");
    if (const auto m = w.finish_signed(key.view())) check(server.handle_client(via, *m, now).out);
  }
  static void put(stun::message_writer& w, reader& input) {
    const auto what = input.octet(), value = input.octet();
    switch (what % 10) {
      case 0:
        w.put<attr::requested_transport>(value < 240 ? std::uint8_t{17} : value);
        break;
      case 1:
        w.put<attr::lifetime>(value * 100U);
        break;
      case 2:
        w.put<attr::xor_peer_address>(peer(value));
        break;
      case 3:
        w.put<attr::channel_number>(static_cast<std::uint16_t>(0x3fff + value % 8));
        break;
      case 4:
        w.put<attr::even_port>(value % 2 == 0);
        break;
      case 5:
        w.put<attr::requested_address_family>(static_cast<std::uint8_t>(value % 4));
        break;
      case 6:
        w.put<attr::additional_address_family>(static_cast<std::uint8_t>(value % 4));
        break;
      case 7:
        w.put<attr::dont_fragment>({});
        break;
      case 8:
        w.put<attr::requested_transport>(17);
        break;
      default:
        w.put<attr::data>(input.some(value % 32));
        break;
    }
  }
  void relay(reader& input) {
    const auto via = client(input.octet());
    std::array<std::byte, 256> buffer;
    stun::message_writer w(buffer, {stun::method::send, stun::kind::indication},
                           stun::make_transaction_id(random));
    w.put<attr::xor_peer_address>(peer(input.octet())).put<attr::data>(input.some(16));
    if (const auto m = w.finish()) check(server.handle_client(via, *m, now).out);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  reader input(std::as_bytes(std::span(data, std::min<std::size_t>(size, 4096))));
  world w;
  while (!input.done()) {
    switch (input.octet() % 8) {
      case 0: {
        const auto via = world::client(input.octet());
        const auto length = input.octet();
        w.check(w.server.handle_client(via, input.some(length), w.now).out);
        break;
      }
      case 1:
      case 2:
      case 3:
        w.ask(input);
        break;
      case 4:
        w.relay(input);
        break;
      case 5: {
        const auto id = static_cast<turn::relay_id>(input.octet() % 24);
        const auto from = world::peer(input.octet());
        w.check(w.server.handle_peer(id, from, input.some(32), w.now));
        break;
      }
      case 6:
        w.now += std::chrono::seconds{input.octet() * 4};
        w.server.handle_timeout(w.now);
        break;
      default:
        if (!w.opening.empty())
          w.answer(*w.opening.begin(), input.octet() % 2 == 0);
        else
          w.server.handle_stream_closed(world::client(3), w.now);
    }
    w.drain(input);
  }
  return 0;
}
