#pragma once

// Somebody who learns of the TURN server by registering, and uses it as peers do: from the
// allocation to its release, every octet compared.

#include <string>

#include "tests/signaling/soak/crowd.hpp"
#include "tests/signaling/soak/public_host.hpp"

namespace nat::test {

// As the URLs of `registered.ice_servers` have it; `secured_stun` is not announced, and served: TLS
// on the port of plain STUN.
enum class transport_to_turn : std::uint8_t { udp, tcp, tls, secured_stun };

class good_relayed {
 public:
  good_relayed(const public_host& host, unsigned number, transport_to_turn by)
      : host_(host),
        number_(number),
        name_("good-r" + std::to_string(number)),
        from_("127.0.3." + std::to_string(number + 1)),
        by_(by) {}

  void life();
  stopwatch round_trips;
  std::atomic<std::size_t> lives = 0;

 private:
  struct relay {
    endpoint server;
    std::string username, password;
  };
  [[nodiscard]] relay learn() const;
  template <class User>
  void use(User& user);

  const public_host& host_;
  unsigned number_;
  std::string name_, from_;
  transport_to_turn by_;
};

}  // namespace nat::test
