#pragma once

// The listening side of `nat --with PEER`: tells a peer how this host's NAT behaves. It is measured
// when somebody asks, beside everything else that the listener does, and not again for a while: no
// stranger makes this host ask servers more often than that.

#include <optional>
#include <string>
#include <vector>

#include "peer-cli/commands/options.hpp"
#include "peer-cli/io/behavior_probe.hpp"
#include "peer-cli/session/nat_question.hpp"

namespace nat::commands {

class nat_teller {
 public:
  // From the start of one measurement to that of the next; what it found is told until then.
  static constexpr duration cool_down = std::chrono::seconds{60};
  // Of a measurement. The asker waits for longer than that.
  static constexpr duration patience = std::chrono::seconds{8};
  static_assert(patience < session::nat_asker::patience);

  // The runtime outlives this.
  nat_teller(const options&, peer_io::runtime&);

  // Which servers there are, where none was given.
  void learn(const session::registered&);
  bool takes(const datachannel::channel_opened& opened, session::link& over, time_point now) {
    return answerer_.takes(opened, over, now);
  }
  // True: it was one of ours.
  bool handle_message(const datachannel::message&, session::link&, time_point now);
  void handle_closed(datachannel::channel_id id) { answerer_.handle_closed(id); }
  void link_ended() { answerer_ = {}; }
  // Answers as soon as there is something to tell.
  void advance(session::link&, time_point now);

 private:
  void measure(time_point now);

  std::vector<session::ice_url> servers_;
  bool given_;  // not announced
  std::vector<address> bind_;
  peer_io::runtime& world_;
  session::nat_answerer answerer_;
  std::optional<peer_io::behavior_probe> probe_;
  std::optional<time_point> began_;
  std::string found_;
};

}  // namespace nat::commands
