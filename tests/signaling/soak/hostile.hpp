#pragma once

// What strangers, and worse, those with a good token, do to a public server: one deed at a time,
// in an order that a seeded generator deals, so that each kind comes as often as the others.

#include <atomic>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/signaling/soak/public_host.hpp"
#include "tests/signaling/soak/soak_ends.hpp"

namespace nat::test {

class hostile_client {
 public:
  // `from`: an address of 127/8 that is this one's alone.
  hostile_client(const public_host& host, std::string from, unsigned seed)
      : host_(host), from_(std::move(from)), chance_(seed) {}
  virtual ~hostile_client() = default;
  hostile_client(const hostile_client&) = delete;
  hostile_client& operator=(const hostile_client&) = delete;

  void next_deed();
  [[nodiscard]] std::size_t deeds() const { return done_; }
  // Each kind has been done.
  [[nodiscard]] bool went_round() const { return rounds_ > 0; }

 protected:
  using deed = std::function<void()>;
  [[nodiscard]] virtual std::vector<deed> deeds_of_a_round() = 0;

  [[nodiscard]] std::size_t below(std::size_t n) { return chance_() % n; }
  [[nodiscard]] std::string noise(std::size_t most);
  [[nodiscard]] std::string beginning_of(std::string_view whole) {
    return std::string(whole.substr(0, below(whole.size())));
  }
  // What OpenSSL would say first; nothing listens to what comes back.
  [[nodiscard]] static std::string client_hello();
  [[nodiscard]] std::string fresh_name() { return "h" + from_ + '-' + std::to_string(names_++); }
  [[nodiscard]] raw_client arrive(bool upgraded = true) const {
    return host_.arrive({.from = from_, .upgraded = upgraded});
  }

  const public_host& host_;
  std::string from_;
  std::mt19937 chance_;

 private:
  std::vector<deed> left_;
  std::atomic<std::size_t> done_ = 0, rounds_ = 0;
  std::size_t names_ = 0;
};

// On the WebSocket port.
class hostile_speaker final : public hostile_client {
 public:
  using hostile_client::hostile_client;

 private:
  std::vector<deed> deeds_of_a_round() override;
  void join(raw_client& c) { c.join(fresh_name(), token()); }
  [[nodiscard]] static std::string token() {
    return public_host::token_member(public_host::inside_token);
  }

  void breaks_http();
  void breaks_tls();
  void breaks_framing();
  void says_nonsense();
  void floods();
  void never_reads();
  void is_too_large();
  void claims_names();
  void lingers();
  void goes_midway();
  void half_closes();
  void bothers_others();

  std::deque<raw_client> lingering_;
};

// Who has no token, or no longer, or somebody else's address.
class hostile_guesser final : public hostile_client {
 public:
  using hostile_client::hostile_client;
  // How often it was listened to.
  [[nodiscard]] std::size_t guesses() const { return guesses_; }

 private:
  std::vector<deed> deeds_of_a_round() override;
  void guesses_tokens();
  void breaks_signed_tokens();
  void lies_about_its_address();
  void guesses_behind_the_proxy();
  // Says each, and sees that it is listened to a few times only.
  void try_all(const std::vector<std::string>& tokens, const way_in&, std::size_t& listened);

  std::size_t guesses_ = 0, guesses_by_proxy_ = 0;
};

// On the ports of STUN and TURN, and as TURN behind the wss one.
class hostile_relayed final : public hostile_client {
 public:
  hostile_relayed(const public_host& host, const std::string& from, unsigned seed,
                  const endpoint& victim)
      : hostile_client(host, from, seed), victim_(victim) {}
  // Allocations over UDP that were left behind, and live; releases them.
  [[nodiscard]] std::size_t left_behind() const { return left_behind_.size(); }
  void release_all();

 private:
  using udp_user = basic_turn_user<patient_udp>;
  using stream_user = basic_turn_user<steady_stream>;

  std::vector<deed> deeds_of_a_round() override;
  [[nodiscard]] raw_client stream();  // to any of the ports that take STUN
  [[nodiscard]] turn::rest_credentials credentials();
  [[nodiscard]] bytes forged_request();

  void throws_datagrams();
  void breaks_streams();
  void breaks_handshakes();
  void half_closes();
  void lingers();
  void shows_wrong_credentials();
  void floods_with_forgeries();
  void leaves_allocations();
  void reaches_inside();
  void never_reads();

  endpoint victim_;
  std::deque<raw_client> lingering_;
  std::deque<udp_user> left_behind_;
};

}  // namespace nat::test
