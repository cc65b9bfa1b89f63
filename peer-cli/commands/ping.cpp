// `ping`: round trips over the selected path, one line or event each, and a summary.

#include <array>
#include <cstdio>
#include <utility>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/commands/words.hpp"
#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/pinger.hpp"
#include "protocol/crypto/system_random.hpp"

namespace nat::commands {
namespace {

using session::exit_status;

std::string fixed(const char* format, double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

class ping_command final : public peer_io::command {
 public:
  ping_command(const options& o, reporter& says) : options_(o), says_(says) {}

  void handle(session::peer_event& event, session::peer& peer, time_point now) override {
    if (status()) return;
    says_.event(event);
    auto* const link = peer.current();
    if (std::holds_alternative<session::link_ready>(event) && link) {
      start(*link, now);
    } else if (const auto* const message = std::get_if<datachannel::message>(&event);
               message && link && pings_) {
      pings_->handle_message(*message, *link, now);
    } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event);
               closed && closed->id == channel_) {
      fail({exit_status::peer_absent, "no-ping",
            "'" + options_.target + "' closed the ping's channel; does it run `peer-cli listen`?"});
    } else if (const auto* const ended = std::get_if<session::link_ended>(&event)) {
      fail(ended->why.value_or(
          session::failure{exit_status::path_lost, "peer-left", "the peer left"}));
    } else if (const auto* const failure = std::get_if<session::failure>(&event)) {
      fail(*failure);
    }
  }

  void advance(session::peer& peer, time_point now) override {
    auto* const link = peer.current();
    if (status() || !pings_ || !link) return;
    pings_->advance(*link, now);
    const bool direct = tell_results(peer);
    const bool over = pings_->finished() || (options_.until_direct && now >= deadline_);
    if (!over && !(direct && options_.until_direct)) return;
    link->shutdown(now);
    conclude(direct);
  }

  [[nodiscard]] std::optional<time_point> next_timeout() const override {
    if (!pings_) return std::nullopt;
    auto next = pings_->next_timeout();
    return options_.until_direct ? earlier(next, deadline_) : next;
  }

  void interrupted(session::peer& peer, time_point now) override {
    if (auto* const link = peer.current()) link->shutdown(now);
    fail({exit_status::interrupted, "interrupted", "interrupted"});
  }

  // The time-out of --until-direct runs from the start of the program.
  void start_at(time_point now) { deadline_ = now + options_.timeout(); }

 private:
  void start(session::link& link, time_point now) {
    channel_ = link.open(session::ping_channel(), now);
    if (!channel_) return;  // the time-out ends it
    session::ping_config config;
    config.count = options_.count;
    config.interval = options_.interval();
    crypto::system_random random;
    pings_.emplace(config, *channel_, random_u64(random), now);
  }

  // Whether one of them went over a direct path.
  bool tell_results(session::peer& peer) {
    bool direct = false;
    while (const auto result = pings_ ? pings_->poll_result() : std::nullopt) {
      tell(*result);
      if (!result->took) continue;
      peer.confirm();
      direct = direct || (result->way && !session::is_relayed(*result->way));
    }
    return direct;
  }

  void tell(const session::round_trip& one) {
    json fields{{"peer_id", options_.target}, {"seq", one.number}};
    fields["path"] = one.way ? json(path_name(*one.way)) : json(nullptr);
    fields["local"] = one.way ? to_json(one.way->local) : json(nullptr);
    fields["remote"] = one.way ? to_json(one.way->remote) : json(nullptr);
    fields["rtt_ms"] = one.took ? json(json_ms(*one.took)) : json(nullptr);
    says_.emit("ping", std::move(fields));
    const auto way = one.way
                         ? std::string(path_name(*one.way)) + ", " + to_string(one.way->via.remote)
                         : "no path";
    says_.result(one.took ? way + ", " + fixed("%.2f ms", milliseconds(*one.took)) + ", seq " +
                                std::to_string(one.number)
                          : "lost, seq " + std::to_string(one.number) + " (sent " + way + ")");
  }

  void tell_summary() {
    const auto& tally = pings_->tally();
    const auto figures = tally.times.summarize();
    json fields{{"peer_id", options_.target}, {"sent", tally.sent},
                {"received", tally.answered}, {"lost", tally.lost},
                {"direct", tally.direct},     {"relay", tally.relayed}};
    const auto number = [&](const char* name, duration session::round_trips::figures::* which) {
      fields[name] = figures ? json(json_ms((*figures).*which)) : json(nullptr);
    };
    using f = session::round_trips::figures;
    number("min_ms", &f::min), number("median_ms", &f::median), number("mean_ms", &f::mean);
    number("max_ms", &f::max), number("mdev_ms", &f::mdev);
    says_.emit("summary", std::move(fields));
    const auto share =
        tally.sent == 0 ? 0.0
                        : 100.0 * static_cast<double>(tally.lost) / static_cast<double>(tally.sent);
    says_.result(options_.target + ": " + std::to_string(tally.sent) + " sent, " +
                 std::to_string(tally.answered) + " answered (" + std::to_string(tally.direct) +
                 " direct, " + std::to_string(tally.relayed) + " by relay), " +
                 std::to_string(tally.lost) + " lost (" + fixed("%.1f %%", share) + ")");
    if (!figures) return;
    std::string line = "round trip min/median/mean/max/mdev ";
    for (const auto d : {figures->min, figures->median, figures->mean, figures->max}) {
      line += fixed("%.2f/", milliseconds(d));
    }
    says_.result(line + fixed("%.2f ms", milliseconds(figures->mdev)));
  }

  void conclude(bool direct) {
    if (options_.until_direct && !direct) {
      return fail({exit_status::unexpected, "not-direct",
                   "no round trip went over a direct path before the count or the time-out ended"});
    }
    pings_->stop();
    if (pings_->tally().answered == 0) {
      return fail({exit_status::peer_absent, "no-answer",
                   "'" + options_.target +
                       "' is connected and answers no ping; does it run `peer-cli listen`?"});
    }
    tell_summary();
    finish(says_.status_after(exit_status::done));
  }

  void fail(const session::failure& why) {
    if (status()) return;
    if (pings_) {
      pings_->stop();
      while (const auto result = pings_->poll_result()) tell(*result);
      tell_summary();
    }
    says_.error(why);
    finish(why.status);
  }

  const options& options_;
  reporter& says_;
  std::optional<datachannel::channel_id> channel_;
  std::optional<session::pinger> pings_;
  time_point deadline_{};
};

}  // namespace

int run_ping(const options& o) {
  reporter says(o, false);
  auto config = peer_config_of(o);
  config.confirms = true;
  peer_io::runtime world(runtime_options_of(o), std::move(config));
  ping_command command(o, says);
  command.start_at(std::chrono::steady_clock::now());
  return static_cast<int>(world.run(command));
}

}  // namespace nat::commands
