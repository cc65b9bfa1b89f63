// `check`: finds a path, sends one encrypted message each way, reports, ends.

#include <utility>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/echo.hpp"

namespace nat::commands {
namespace {

using session::exit_status;

class check_command final : public peer_io::command {
 public:
  check_command(const options& o, reporter& says) : options_(o), says_(says) {}

  void handle(session::peer_event& event, session::peer& peer, time_point now) override {
    if (status()) return;
    says_.event(event);
    auto* const link = peer.current();
    if (std::holds_alternative<session::link_ready>(event) && link) {
      datachannel::channel_options channel;
      channel.label = session::check_label;
      channel_ = link->open(channel, now);
      sent_ = now;
      if (channel_) static_cast<void>(link->send(*channel_, as_bytes(question), false, now));
    } else if (const auto* const message = std::get_if<datachannel::message>(&event);
               message && link) {
      if (message->id == channel_ && as_text(message->data) == question) {
        answered_ = now;
        peer.confirm();
        says_.message(*link, message->data.size());
      }
    } else if (const auto* const ended = std::get_if<session::link_ended>(&event)) {
      fail(ended->why.value_or(session::failure{exit_status::path_lost, "peer-left",
                                                "the peer left before it had answered the check"}),
           peer);
    } else if (const auto* const failure = std::get_if<session::failure>(&event)) {
      fail(*failure, peer);
    }
  }

  void advance(session::peer& peer, time_point now) override {
    auto* const link = peer.current();
    if (status() || !answered_ || !link || !link->current()) return;
    if (!is_settled(*link, now)) return;
    const bool relayed = session::is_relayed(*link->current());
    link->shutdown(now);
    const bool expected = !options_.expect || (*options_.expect == "relay") == relayed;
    if (!expected) {
      says_.error({exit_status::unexpected, "not-as-expected",
                   std::string("connected ") + (relayed ? "by relay" : "directly") +
                       ", not as --expect asks"});
    }
    says_.nat(peer.nat_seen());
    says_.report(relayed ? "relay" : "direct", link,
                 link->agent().rtt().value_or(*answered_ - sent_), std::nullopt);
    finish(says_.status_after(expected ? exit_status::done : exit_status::unexpected));
  }

  [[nodiscard]] std::optional<time_point> next_timeout() const override {
    return answered_ ? std::optional(*answered_ + patience) : std::nullopt;
  }

  void interrupted(session::peer& peer, time_point) override {
    const session::failure why{exit_status::interrupted, "interrupted", "interrupted"};
    says_.error(why);
    says_.nat(peer.nat_seen());
    says_.report("failed", peer.current(), std::nullopt, why);
    finish(exit_status::interrupted);
  }

 private:
  static constexpr std::string_view question = "Does this arrive?";
  static constexpr auto patience = std::chrono::seconds{3};

  // A relay is often first and a direct path second: while one may still come, the report waits.
  bool is_settled(const session::link& link, time_point now) const {
    if (!session::is_relayed(*link.current()) || options_.policy != session::path_policy::all)
      return true;
    if (now - *answered_ >= patience) return true;
    for (const auto& pair : link.agent().pairs()) {
      const bool relayed = pair.local.kind == ice::candidate_kind::relayed ||
                           pair.remote.kind == ice::candidate_kind::relayed;
      const bool open =
          pair.state == ice::pair_state::waiting || pair.state == ice::pair_state::in_progress;
      if (!relayed && open) return false;
    }
    return true;
  }

  void fail(const session::failure& why, const session::peer& peer) {
    says_.error(why);
    says_.nat(peer.nat_seen());
    says_.report("failed", peer.ended(), std::nullopt, why);
    finish(why.status);
  }

  const options& options_;
  reporter& says_;
  std::optional<datachannel::channel_id> channel_;
  time_point sent_;
  std::optional<time_point> answered_;
};

}  // namespace

int run_check(const options& o) {
  reporter says(o, false);
  auto config = peer_config_of(o);
  config.confirms = true;
  peer_io::runtime world(runtime_options_of(o), std::move(config));
  check_command command(o, says);
  return static_cast<int>(world.run(command));
}

}  // namespace nat::commands
