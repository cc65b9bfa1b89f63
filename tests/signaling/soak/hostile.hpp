#pragma once

// What strangers do to a public signaling server, one deed at a time, chosen by a seeded generator.

#include <deque>
#include <random>
#include <string>

#include "tests/signaling/io/raw_client.hpp"

namespace nat::test {

class hostile_client {
 public:
  // `from`: an address of 127/8 that is this one's alone.
  hostile_client(const endpoint& websocket, const endpoint& stun, bool tls, std::string from,
                 unsigned seed)
      : websocket_(websocket), stun_(stun), tls_(tls), from_(std::move(from)), chance_(seed) {}

  void next_deed();

 private:
  [[nodiscard]] raw_client arrive(raw_client::start = raw_client::start::upgraded) const;
  [[nodiscard]] std::size_t below(std::size_t n) { return chance_() % n; }
  [[nodiscard]] std::string noise(std::size_t most);
  [[nodiscard]] std::string fresh_name() { return "h" + from_ + '-' + std::to_string(names_++); }

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
  void bothers_others();
  void throws_datagrams();

  endpoint websocket_, stun_;
  bool tls_;
  std::string from_;
  std::mt19937 chance_;
  std::deque<raw_client> lingering_;
  std::size_t names_ = 0;
};

}  // namespace nat::test
