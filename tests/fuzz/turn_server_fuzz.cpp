// The TURN server as an attacker with an account sees it: a sequence of operations, some of them
// raw bytes, some well-formed and signed, relayed sockets that open, fail, or answer late, and
// time. After each the server's promises hold.
//
// Among them: what is no valid request of an authenticated client (bytes, relayed data either way,
// requests that are signed and then spoiled) changes nothing that lasts. Before and after each
// such operation the server is asked for all that it may hold: allocations, sockets, the next
// deadline, and, by data from every peer to every socket, permissions and channels.

#include <cstdint>
#include <set>
#include <tuple>
#include <vector>

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
  c.limits.lowest_port = 50000;
  c.limits.highest_port = 50015;
  c.limits.max_allocations = 6;
  c.limits.max_allocations_per_name = 5;
  c.max_permissions = 3;
  c.max_channels = 2;
  c.limits.max_reservations = 3;
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
      const bool ours = t->via.remote.ip == client(0).remote.ip;  // not the one that forge() uses
      if (const auto fresh = m->get<attr::nonce>(); fresh && ours) nonce = *fresh;
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
  // All that the server may hold, as far as it shows.
  using grant = std::tuple<turn::relay_id, endpoint, std::byte, std::byte>;  // and the channel
  struct lasting {
    std::uint64_t allocations, created, expired, released;
    std::set<turn::relay_id> opening, open;
    std::optional<time_point> next_timeout;
    std::vector<grant> grants;
    bool operator==(const lasting&) const = default;
  };
  [[nodiscard]] lasting look() {
    const auto c = server.counters();
    lasting out{c.allocations,         c.created, c.expired, c.released, opening, open,
                server.next_timeout(), {}};
    const auto probe = as_bytes("probe");
    for (const auto relay : open) {
      for (std::uint8_t host = 0; host < 6; ++host) {
        for (std::uint8_t port = 0; port < 2; ++port) {
          const auto from = peer(static_cast<std::uint8_t>(host + 6 * port));
          const auto got = server.handle_peer(relay, from, probe, now);
          const auto* in = std::get_if<turn::to_client>(&got);
          if (in) out.grants.emplace_back(relay, from, in->header()[0], in->header()[1]);
        }
      }
    }
    return out;
  }
  template <class Operation>
  void as_a_stranger(Operation operation) {
    const auto before = look();
    operation();
    ensure(!server.poll_event());
    ensure(look() == before);
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
    const auto via = client(input.octet());
    std::array<std::byte, 1024> buffer;
    stun::message_writer w(buffer, {method(input.octet()), stun::kind::request},
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
  // A request that would be good, spoiled in one of six ways; it may come from elsewhere, too.
  void forge(reader& input) {
    if (nonce.empty()) return;
    auto via = client(input.octet());
    const unsigned how = input.octet() % 6U, where = input.octet();
    std::array<std::byte, 1024> buffer;
    stun::message_writer w(buffer, {method(input.octet()), stun::kind::request},
                           stun::make_transaction_id(random));
    for (auto n = input.octet() % 5; n > 0; --n) put(w, input);
    const std::string name = how == 0 ? "v" : "u", password = how == 1 ? "q" : "p";
    auto other = nonce;
    if (how == 2) other[where % other.size()] ^= 1;
    w.put<attr::username>(name).put<attr::realm>("rendezvous").put<attr::nonce>(other);
    const auto key =
        stun::make_long_term_key(stun::password_algorithm::md5, name, "rendezvous", password);
    // Spoiled last, where what is spoiled is signed: nothing after the integrity attribute is.
    const auto signed_message =
        how == 3 ? w.finish() : w.finish_signed(key.view(), stun::integrity::sha1, false);
    if (!signed_message) return;
    auto message = to_bytes(*signed_message);
    if (how == 4) message[where % message.size()] ^= static_cast<std::byte>(1U << (where % 8));
    if (how == 5) via.remote.ip = *parse_address("192.0.2.77");
    as_a_stranger([&] { check(server.handle_client(via, message, now).out); });
  }
  static stun::method method(std::uint8_t n) {
    static constexpr stun::method methods[] = {stun::method::allocate, stun::method::refresh,
                                               stun::method::create_permission,
                                               stun::method::channel_bind};
    return methods[n % 4];
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
    const auto m = w.finish();
    if (m) as_a_stranger([&] { check(server.handle_client(via, *m, now).out); });
  }
  void relay_back(reader& input) {
    const auto id = static_cast<turn::relay_id>(input.octet() % 24);
    const auto from = peer(input.octet());
    const auto data = input.some(32);
    as_a_stranger([&] { check(server.handle_peer(id, from, data, now)); });
  }
  void scribble(reader& input) {
    const auto via = client(input.octet());
    const auto length = input.octet();
    const auto data = input.some(length);
    as_a_stranger([&] { check(server.handle_client(via, data, now).out); });
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  reader input(std::as_bytes(std::span(data, std::min<std::size_t>(size, 4096))));
  world w;
  while (!input.done()) {
    const auto operation = input.octet();
    switch (operation < 128 ? operation % 8 : 8) {
      case 0:
        w.scribble(input);
        break;
      case 1:
      case 2:
      case 3:
        w.ask(input);
        break;
      case 4:
        w.relay(input);
        break;
      case 5:
        w.relay_back(input);
        break;
      case 6:
        w.now += std::chrono::seconds{input.octet() * 4};
        w.server.handle_timeout(w.now);
        break;
      case 8:
        w.forge(input);
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
