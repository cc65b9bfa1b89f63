#pragma once

// One event loop's share of the signaling server: its connections, what they may do, and where
// their messages go (SIGNALING.md). Names are looked up in a directory that all loops share; what
// is for a connection of another loop leaves as an envelope. No socket, no clock, no frame.
//
//   1. connect() once a client's upgrade is done; it gives the slot that names the client
//   2. handle_...() what happened, with the time
//   3. handle_timeout() when next_timeout() has come, or several times a second
//   4. after each: poll_output() and poll_envelope() until both are empty, and carry them out
//   5. after an output of type close, or when the client has gone: handle_closed()
//
// A slot is not used again before handle_closed(). Of a client that is being closed nothing is
// heard any more. Bounded: what waits for a client by send_queue_bytes, connections by who accepts
// them, everything else by connections.
//
// A message that finds its target's queue full is refused (peer-busy). The target is closed as too
// slow only once its full queue has made no headway for slow_timeout: how much a client is sent is
// up to strangers, how fast it reads is up to itself.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "protocol/base/time.hpp"
#include "signaling/hub/access.hpp"
#include "signaling/hub/announcement.hpp"
#include "signaling/hub/counters.hpp"
#include "signaling/hub/deadline_queue.hpp"
#include "signaling/hub/directory.hpp"
#include "signaling/hub/fence.hpp"
#include "signaling/hub/journal.hpp"
#include "signaling/hub/limits.hpp"
#include "signaling/hub/penalties.hpp"
#include "signaling/hub/recent_peak.hpp"
#include "signaling/hub/request.hpp"
#include "signaling/hub/token_bucket.hpp"
#include "signaling/websocket/frame.hpp"

namespace nat::hub {

struct output {
  enum class type : std::uint8_t {
    text,   // a message for the client
    ping,   // an empty ping
    close,  // code and reason; what was queued before goes out first
    abort,  // at once, whatever waits
  };
  type what;
  std::uint32_t slot;
  std::string_view payload;  // lives until the next call other than a poll
  websocket::close_code code = websocket::close_code::normal;
};

// From one loop's exchange to another's, or between one and the cluster (cluster_place).
struct envelope {
  enum class type : std::uint8_t {
    deliver,
    not_found,
    busy,
    superseded,
    unavailable,  // the cluster can't be asked
    accepted,     // to the cluster: what had this origin has been delivered
    claim,        // to the cluster: target is the name, text the resume secret if one was shown,
                  // from.generation a number that comes back in to.generation
    claimed,      // from the cluster: from.generation is the name's, text the resume secret,
                  // from.slot 1 if that took the name back
    taken,        // from the cluster
    left,
    held,  // to the cluster: the name's connection, from, has ended, cleanly or not
  };
  type what;
  owner to, from;
  request_type request{};
  time_point arrived{};  // deliver: when the message was read
  std::string target{};  // the name that a refusal speaks of
  std::string text{};    // deliver: the message
  std::string origin{};  // where in the cluster an answer goes; opaque, handed back as it came
  std::string sender{};  // deliver, to the cluster: the name that speaks
  address client{};      // claim, claimed, held: for whom the name counts
};

// Offers and answers start something: their sender is to hear of it in any case.
[[nodiscard]] constexpr bool is_acknowledged(request_type t) noexcept {
  return t == request_type::offer || t == request_type::answer;
}

class exchange {
 public:
  // `loop` is this exchange's place in owner::loop. The references must outlive it.
  exchange(std::uint32_t loop, const limits&, const announcement&, directory&, penalty_book&);

  // Who may register from here on; nullptr: anyone.
  void use_access(std::shared_ptr<const access> policy) noexcept { access_ = std::move(policy); }

  // Who is told of what happens; must outlive it.
  void use_journal(journal& j) noexcept { journal_ = &j; }

  // From here on names are claimed in a cluster, and found there if they are not here.
  void join_cluster(const fence& f) noexcept { fence_ = &f, term_ = f.term(); }

  struct arrival {
    address remote;   // the client's
    address reached;  // the local one that it reached
    time_point accepted_at;
  };
  [[nodiscard]] std::uint32_t connect(const arrival&, time_point now);
  void handle_text(std::uint32_t slot, std::string_view text, time_point now);
  void handle_binary(std::uint32_t slot, std::size_t size, time_point now);
  // A ping, a pong or a part of a message: proof of life, and charged like a message.
  void handle_control(std::uint32_t slot, time_point now);
  void handle_too_large(std::uint32_t slot, time_point now);
  // The client broke the WebSocket protocol.
  void handle_violation(std::uint32_t slot, websocket::close_code, std::string_view why,
                        time_point now);
  // After a write: how many octets the client's connection has taken by it, and how many still
  // wait. May come between polls, and leaves payloads as they are.
  void handle_written(std::uint32_t slot, std::size_t taken, std::size_t waiting) noexcept;
  // The server keeps too much in all, and the most of it for or from this client.
  void handle_overload(std::uint32_t slot, time_point now);
  void handle_closed(std::uint32_t slot, ending, time_point now);
  void handle_envelope(const envelope&, time_point now);

  [[nodiscard]] std::optional<time_point> next_timeout() const;
  void handle_timeout(time_point now);

  // This server's names may be someone else's by now: what was queued for clients, and is not
  // written, is void. The clients hear of it with whatever is called next.
  [[nodiscard]] bool fenced(time_point now) const;

  // Wall-clock time for the credentials' expiry.
  void handle_unix_time(std::int64_t seconds) noexcept { unix_now_ = seconds; }
  // Tells everybody to go elsewhere, and closes: a share at a time, so that all are told within
  // about `over` (few of them at once) and do not come back in one wave.
  void drain(time_point now, duration over = {});

  [[nodiscard]] std::optional<output> poll_output();
  // Whom the output is for that so many others come before; nullopt: there are fewer.
  [[nodiscard]] std::optional<std::uint32_t> slot_ahead(std::size_t others) const noexcept;
  [[nodiscard]] std::optional<envelope> poll_envelope();

  [[nodiscard]] const counters& stats() const noexcept { return stats_; }
  // Empty until registered.
  [[nodiscard]] const std::string& name_of(std::uint32_t slot) const { return clients_[slot].name; }

 private:
  struct client {
    // What a ping and its answer need stands together: of 100,000 idle clients none is in a cache.
    std::string name{};
    time_point heard_at{};
    time_point pinged_at{};  // later than heard_at: a ping is under way
    std::size_t waiting = 0;
    std::uint32_t serial = 0;
    bool connected = false, closing = false;
    bool full = false;  // a message was refused, and no headway made since full_since
    token_bucket bucket{0, 0, {}};
    std::uint64_t generation = 0;
    std::uint64_t claim = 0;  // not 0: the cluster has been asked for a name, under this number
    time_point registered_by{}, full_since{};
    std::uint32_t headway = 0;  // octets taken since then
    address remote{}, reached{};
  };
  struct queued {
    output::type what;
    std::uint32_t slot;
    std::size_t offset, size;
    websocket::close_code code;
  };
  enum class delivery : std::uint8_t { done, not_found, busy, unavailable };

  // What a client does (exchange.cpp).
  bool heard(std::uint32_t slot, time_point now, double cost = 1);
  void registers(std::uint32_t slot, const request&, time_point now);
  [[nodiscard]] bool authorized(std::uint32_t slot, const request&, time_point now);
  void charge_for_check(std::uint32_t slot, time_point now);
  void refuse_taken(std::uint32_t slot, std::string_view name, time_point now);
  void refuse_name(std::uint32_t slot, std::string_view name, error_code, std::string_view reason,
                   std::string message);
  void forward(std::uint32_t slot, const request&, time_point now);
  void count_outcome(const request&);
  void grant(std::uint32_t slot, std::string_view name, std::uint64_t generation,
             const std::string& resume, bool resumed);
  void hand_back(const envelope&, delivery);
  delivery deliver(const owner& to, request_type, std::string_view text, time_point now);
  void supersede(const owner& old, time_point now);
  void refuse(std::uint32_t slot, error_code, std::string message, std::optional<request_type> = {},
              std::string_view target = {});
  void refuse_delivery(std::uint32_t slot, delivery, request_type, std::string_view target);

  // With a cluster (exchange_cluster.cpp).
  void claims(std::uint32_t slot, const request&);
  void handle_claim_answer(const envelope&, time_point now);
  [[nodiscard]] bool fenced_off(time_point now);

  // Ends and deadlines (exchange_closing.cpp).
  void close(std::uint32_t slot, closing, time_point now);
  void send_away(time_point now);
  void let_go(std::uint32_t slot, ending, time_point now);
  void look_after(std::uint32_t slot, time_point now);
  void note_full(std::uint32_t slot, time_point now);
  [[nodiscard]] std::optional<time_point> deadline_of(const client&) const;
  [[nodiscard]] time_point silent_until(const client&) const;
  void schedule(std::uint32_t slot);
  void drop_stale_deadlines();

  // Outputs (exchange_output.cpp).
  void send(std::uint32_t slot, std::string_view text);
  void queue(output::type, std::uint32_t slot, std::string_view payload,
             websocket::close_code = websocket::close_code::normal);
  void rewind_outputs();

  std::uint32_t loop_;
  const limits& limits_;
  const announcement& announcement_;
  directory& directory_;
  penalty_book& penalties_;
  journal* journal_ = nullptr;
  const fence* fence_ = nullptr;  // there is a cluster
  std::uint64_t term_ = 0;        // of the fence, that all clients are of
  std::shared_ptr<const access> access_;
  request_parser parser_;
  std::vector<client> clients_;
  std::vector<std::uint32_t> free_;
  deadline_queue deadlines_;
  deadline_queue slow_;  // of full queues
  std::vector<queued> outputs_;
  std::size_t next_output_ = 0;
  std::string arena_;    // the payloads of outputs_
  std::string scratch_;  // the message being built
  std::deque<envelope> envelopes_;
  std::uint64_t claims_made_ = 0;
  counters stats_;
  recent_peak<std::uint64_t> queue_peak_;
  std::int64_t unix_now_ = 0;
  struct departure {
    time_point begun;
    duration over;
    std::size_t clients;  // of the beginning
    std::size_t told = 0;
    std::uint32_t next = 0;          // the first slot that has not been looked at
    std::optional<time_point> at{};  // the next share; nullopt: all are told
  };
  std::optional<departure> departure_;  // it drains
};

}  // namespace nat::hub
