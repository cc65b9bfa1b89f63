#pragma once

// Asks for mDNS names until somebody answers or patience is over. Same drive loop as ice/agent.hpp;
// which sockets to use: mdns.hpp. Bounded by the names asked for; answers to other names are
// dropped.

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ice/gather/mdns.hpp"
#include "protocol/base/time.hpp"

namespace nat::ice::mdns {

struct resolver_config {
  duration first_wait = std::chrono::seconds{1};  // then twice as long each time (RFC 6762, 5.2)
  unsigned max_queries = 4;
  std::size_t max_names = 32;
  std::size_t max_addresses = 4;  // of one name
};

// One address of a name, as soon as it is known; or none: nobody answered.
struct resolved {
  std::string name;  // as it was asked for
  std::optional<nat::address> address;
};

class resolver {
 public:
  explicit resolver(resolver_config config = {}) : config_(config) {}

  // False: not such a name, or max_names are being asked for. A name asked for again while it is
  // being asked for is one question.
  bool ask(std::string_view name, time_point now);
  // RFC 6762, 6: what does not come from port 5353 is not an answer.
  void handle_datagram(const endpoint& from, byte_view datagram);
  void handle_timeout(time_point now);

  // For the group, out of every interface.
  [[nodiscard]] std::optional<bytes> poll_transmit();
  [[nodiscard]] std::optional<resolved> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  struct question {
    std::string name, lower_name;
    std::vector<nat::address> known;
    unsigned queries = 1;
    duration wait;
    time_point due;  // of the next query, or of giving up
  };
  void take(question&, const nat::address&);

  resolver_config config_;
  std::vector<question> questions_;
  std::deque<bytes> outbox_;
  std::deque<resolved> events_;
};

}  // namespace nat::ice::mdns
