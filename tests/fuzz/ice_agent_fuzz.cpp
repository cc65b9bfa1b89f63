// The agent under sequences of operations: two agents and whatever a caller, a network or an enemy
// may do to them, one operation a byte. What must hold after each is written in check().

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <span>

#include "ice/agent.hpp"
#include "ice/check_message.hpp"
#include "protocol/base/ensure.hpp"

namespace {

using namespace nat;
using namespace nat::ice;
using namespace std::chrono_literals;

class counting_random final : public random_source {
 public:
  void fill(byte_span out) override {
    for (auto& octet : out) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      octet = static_cast<std::byte>(state_ >> 56U);
    }
  }

 private:
  std::uint64_t state_ = 1;
};

class input {
 public:
  explicit input(std::span<const std::uint8_t> data) : data_(data) {}
  [[nodiscard]] bool empty() const { return data_.empty(); }
  std::uint8_t next() {
    if (data_.empty()) return 0;
    const auto value = data_.front();
    data_ = data_.subspan(1);
    return value;
  }

 private:
  std::span<const std::uint8_t> data_;
};

constexpr std::size_t max_pairs = 12;
constexpr std::size_t max_outbox = 32;

struct flight {
  int to;
  path from;  // as the receiver sees it
  bytes data;
};

class game {
 public:
  explicit game(input in) : in_(in) {
    for (const int n : {0, 1}) {
      agent_config c;
      c.initial_role = in_.next() % 2 == 0 ? role::controlling : role::controlled;
      c.local = keys_[idx(n)] = fresh();
      c.max_pairs = max_pairs;
      c.max_remote_candidates = 8;
      c.max_local_candidates = 8;
      c.max_queued_checks = 4;
      c.max_outbox = max_outbox;
      agents_.emplace_back(c, random_, now_);
    }
  }

  void play() {
    for (int turns = 0; !in_.empty() && turns < 400; ++turns) {
      turn();
      check();
    }
  }

 private:
  static std::size_t idx(int n) { return static_cast<std::size_t>(n); }
  credentials fresh() { return {random_text(random_, 8), random_text(random_, 24)}; }

  endpoint place(int side) {
    const auto b = in_.next();
    // Few addresses, so that they meet; some that name no place.
    static constexpr std::array<std::uint32_t, 6> networks{0xC0000200, 0x0A000000, 0xCB007100,
                                                           0x7F000000, 0xE0000000, 0x00000000};
    return {make_v4(networks[b % networks.size()] + static_cast<std::uint32_t>(side) + 1U),
            static_cast<std::uint16_t>(1000 + b % 5)};
  }

  candidate some_candidate(int side) {
    candidate c;
    c.kind = static_cast<candidate_kind>(in_.next() % 4);
    c.proto = in_.next() % 8 == 0 ? transport::tcp : transport::udp;
    c.base = place(side);
    c.address = c.kind == candidate_kind::server_reflexive ? place(side) : c.base;
    c.priority = candidate_priority(c.kind, in_.next());
    c.foundation = "f";
    return c;
  }

  void turn() {
    const auto op = in_.next();
    const int side = op & 1;
    auto& a = agents_[idx(side)];
    switch ((op >> 1U) % 18) {
      case 0:
        a.add_local(some_candidate(side), now_);
        break;
      case 1:
        a.add_remote(some_candidate(1 - side), now_);
        break;
      case 2:
        a.set_remote(keys_[idx(1 - side)], now_);
        break;
      case 3:
        a.end_of_local(now_);
        break;
      case 4:
        a.end_of_remote(now_);
        break;
      case 5:
        a.remove_local(place(side), now_);
        break;
      case 6:
        a.restart(keys_[idx(side)] = fresh(), now_);
        break;
      case 7:
        a.note_sent(some_path(side), now_);
        break;
      case 8:
        a.note_received(some_path(side), now_);
        break;
      case 9:
        a.handle_send_failure(some_path(side), now_);
        break;
      case 10:
        deliver(in_.next());
        break;
      case 11:
        mutate_and_deliver();
        break;
      case 12:
        forge(side);
        break;
      case 13:
        raw(side);
        break;
      case 14:
        now_ += std::chrono::milliseconds{in_.next()};
        tick();
        break;
      case 15:
        now_ += std::chrono::seconds{in_.next()};
        tick();
        break;
      case 16:
        jump();
        break;
      case 17:
        while (!flights_.empty()) deliver(0);
        break;
    }
    drain();
  }

  path some_path(int side) {
    const auto& a = agents_[idx(side)];
    if (const auto via = a.selected(); via && in_.next() % 2 == 0) return *via;
    return {transport::udp, place(side), place(1 - side)};
  }

  void tick() {
    for (auto& a : agents_) a.handle_timeout(now_);
  }
  void jump() {
    for (auto& a : agents_) {
      const auto next = a.next_timeout();
      if (!next) continue;
      now_ = std::max(now_, *next);
      a.handle_timeout(now_);
    }
  }

  void deliver(std::uint8_t which) {
    if (flights_.empty()) return;
    const auto at = flights_.begin() + which % static_cast<int>(flights_.size());
    const auto f = std::move(*at);
    flights_.erase(at);
    agents_[idx(f.to)].handle_datagram(f.from, f.data, now_);
    drain();
  }
  void mutate_and_deliver() {
    if (flights_.empty()) return;
    auto& f = flights_.front();
    if (in_.next() % 4 == 0) f.from.remote = place(1 - f.to);
    if (const auto where = in_.next(); where < f.data.size()) {
      f.data[where] ^= static_cast<std::byte>(in_.next());
    }
    deliver(0);
  }
  // A check that is signed with the right password, and says anything.
  void forge(int side) {
    const auto what = in_.next();
    const auto& ours = keys_[idx(side)];
    const auto name = ours.ufrag + ":" + (what & 1U ? keys_[idx(1 - side)].ufrag : "someone");
    const auto message =
        make_check({.id = stun::make_transaction_id(random_),
                    .username = name,
                    .password = what & 2U ? ours.password : keys_[idx(1 - side)].password,
                    .priority = static_cast<std::uint32_t>(in_.next()) << 24U,
                    .role = what & 4U ? role::controlling : role::controlled,
                    .tie_breaker = what & 8U ? UINT64_MAX : 0,
                    .nomination = what & 16U ? in_.next() : 0U,
                    .nomination_attribute = (what & 32U) != 0});
    agents_[idx(side)].handle_datagram({transport::udp, place(side), place(1 - side)}, message,
                                       now_);
  }
  void raw(int side) {
    bytes data(in_.next() % 64U);
    for (auto& octet : data) octet = static_cast<std::byte>(in_.next());
    agents_[idx(side)].handle_datagram({transport::udp, place(side), place(1 - side)}, data, now_);
  }

  void drain() {
    for (const int n : {0, 1}) {
      auto& a = agents_[idx(n)];
      std::size_t sent = 0;
      while (auto t = a.poll_transmit()) {
        ensure(++sent <= max_outbox);
        ensure(t->via.remote.port != 0 && !t->data.empty());
        if (flights_.size() < 64) {
          flights_.push_back(
              {1 - n, {t->via.proto, t->via.remote, t->via.local}, std::move(t->data)});
        }
      }
      while (auto e = a.poll_event()) {
        if (const auto* c = std::get_if<connected>(&*e)) ensure(c->rtt >= duration{});
      }
    }
  }

  void check() {
    for (auto& a : agents_) {
      const auto reports = a.pairs();
      ensure(reports.size() <= max_pairs);
      const auto selected = std::ranges::count_if(reports, &pair_report::selected);
      ensure(selected == (a.selected() ? 1 : 0));
      ensure(!a.selected() || a.is_checked(*a.selected()));
      for (const auto& p : reports) ensure(!p.selected || p.state != pair_state::failed);
      // A deadline that has come is dealt with: the caller's loop ends.
      for (int n = 0; n < 3; ++n) {
        const auto next = a.next_timeout();
        if (!next || *next > now_) break;
        ensure(n < 2);
        a.handle_timeout(now_);
      }
    }
    drain();
  }

  input in_;
  counting_random random_;
  time_point now_{1h};
  std::array<credentials, 2> keys_;
  std::deque<agent> agents_;
  std::deque<flight> flights_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  game(input({data, size})).play();
  return 0;
}
