// `bench`: throughput over the selected path, as both ends saw it.

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/commands/cpu_clock.hpp"
#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/commands/words.hpp"
#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/bench.hpp"

namespace nat::commands {
namespace {

using session::bench_view;
using session::exit_status;

double rate(std::uint64_t octets, duration over) {
  const auto seconds = std::chrono::duration<double>(over).count();
  return seconds > 0 ? static_cast<double>(octets) / seconds : 0;
}

std::string megabytes(double octets, const char* unit) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), octets < 99.95e6 ? "%.2f %s" : "%.0f %s", octets / 1e6,
                unit);
  return text.data();
}

std::optional<double> nanoseconds_an_octet(const bench_view& seen) {
  const auto octets = static_cast<double>(seen.sent) + static_cast<double>(seen.received);
  if (octets == 0) return std::nullopt;
  return std::chrono::duration<double, std::nano>(seen.cpu).count() / octets;
}

class bench_command final : public peer_io::command {
 public:
  bench_command(const options& o, reporter& says) : options_(o), says_(says) {}

  void handle(session::peer_event& event, session::peer& peer, time_point now) override {
    if (status()) return;
    says_.event(event);
    auto* const link = peer.current();
    if (std::holds_alternative<session::link_ready>(event) && link) {
      run_.emplace(session::bench_request{options_.up, options_.down, options_.length()}, *link,
                   now);
    } else if (std::holds_alternative<session::path_found>(event) && run_) {
      run_->handle_path_change();
    } else if (const auto* const message = std::get_if<datachannel::message>(&event);
               message && link && run_) {
      run_->handle_message(*message, *link, read_clock(now));
      if (run_->accepted()) begin(peer, now);
    } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event);
               closed && link && run_) {
      run_->handle_closed(closed->id, *link);
    } else if (const auto* const ended = std::get_if<session::link_ended>(&event)) {
      link_ended(ended->why, *peer.ended(), now);
    } else if (const auto* const failure = std::get_if<session::failure>(&event)) {
      fail(*failure);
    }
  }

  void advance(session::peer& peer, time_point now) override {
    auto* const link = peer.current();
    if (status() || !run_ || !link) return;
    const auto clock = read_clock(now);
    run_->advance(*link, clock);
    if (tick_ && now >= *tick_ && !run_->finished()) progress(*link, clock);
    if (run_->finished()) conclude(*link, clock);
  }

  [[nodiscard]] std::optional<time_point> next_timeout() const override {
    return run_ && !run_->finished() ? earlier(run_->next_timeout(), tick_) : std::nullopt;
  }

  // The first ends the run before its time, and its result is told; the second leaves at once.
  void interrupted(session::peer& peer, time_point now) override {
    auto* const link = peer.current();
    const bool first = !std::exchange(interrupted_, true);
    if (!first || !link || !run_ || !run_->accepted()) {
      if (link) link->shutdown(now);
      return fail(interruption());
    }
    run_->stop(*link, read_clock(now));
  }

 private:
  static session::failure interruption() {
    return {exit_status::interrupted, "interrupted", "interrupted"};
  }

  void begin(session::peer& peer, time_point now) {
    peer.confirm();
    if (tick_) return;
    began_ = now;
    tick_ = now + std::chrono::seconds{1};
  }

  // What has arrived, each second: of what we send as far as it is acknowledged.
  void progress(const session::link& link, const session::bench_clock& clock) {
    *tick_ += std::chrono::seconds{1};
    if (*tick_ <= clock.now) tick_ = clock.now + std::chrono::seconds{1};
    const auto seen = run_->here(link, clock);
    const auto since = clock.now - std::exchange(told_at_, clock.now).value_or(began_);
    const auto up = rate(seen.sent - told_.sent, since);
    const auto down = rate(seen.received - told_.received, since);
    told_ = seen;
    says_.emit("progress", {{"peer_id", options_.target},
                            {"elapsed_ms", json_ms(clock.now - began_)},
                            {"up_bytes", seen.sent},
                            {"down_bytes", seen.received}});
    const auto seconds = std::chrono::round<std::chrono::seconds>(clock.now - began_).count();
    std::string line = std::to_string(seconds) + " s:";
    if (options_.up) line += " up " + megabytes(up, "MB/s");
    if (options_.down) line += " down " + megabytes(down, "MB/s");
    says_.say(line);
  }

  void link_ended(const std::optional<session::failure>& why, const session::link& link,
                  time_point now) {
    if (run_ && run_->accepted()) tell(link, read_clock(now));
    fail(why.value_or(session::failure{exit_status::path_lost, "peer-left",
                                       "the peer left before the bench was over"}));
  }

  void conclude(session::link& link, const session::bench_clock& clock) {
    link.shutdown(clock.now);
    if (run_->why()) return fail(*run_->why());
    tell(link, clock);
    if (interrupted_) return fail(interruption());
    if (!run_->there()) {
      return fail({exit_status::path_lost, "no-report",
                   "the data of '" + options_.target + "', or its report, did not come to an end"});
    }
    finish(says_.status_after(exit_status::done));
  }

  // One direction as both ends saw it: what was sent until it had all arrived, what came.
  void tell_direction(const char* name, json& fields, const bench_view* from,
                      const bench_view* to) {
    json entry;
    entry["sent_bytes"] = from ? json(from->sent) : json(nullptr);
    entry["sent_ms"] = from ? json(json_ms(from->sending)) : json(nullptr);
    entry["received_bytes"] = to ? json(to->received) : json(nullptr);
    entry["received_ms"] = to ? json(json_ms(to->receiving)) : json(nullptr);
    const auto speed = to ? rate(to->received, to->receiving) : rate(from->sent, from->sending);
    entry["bytes_per_second"] = static_cast<std::uint64_t>(speed);
    fields[name] = std::move(entry);
    std::string line =
        std::string(name) + (name[0] == 'u' ? "    " : "  ") + megabytes(speed, "MB/s");
    if (from)
      line += ", sent " + megabytes(static_cast<double>(from->sent), "MB") + " in " +
              short_ms(from->sending);
    if (to)
      line += ", received " + megabytes(static_cast<double>(to->received), "MB") + " in " +
              short_ms(to->receiving);
    lines_.push_back(std::move(line));
  }

  void tell(const session::link& link, const session::bench_clock& clock) {
    const auto here = run_->here(link, clock);
    const auto* const there = run_->there() ? &*run_->there() : nullptr;
    json fields{{"peer_id", options_.target}};
    const auto& path = link.current();
    fields["path"] = path ? json(path_name(*path)) : json(nullptr);
    fields["local"] = path ? to_json(path->local) : json(nullptr);
    fields["remote"] = path ? to_json(path->remote) : json(nullptr);
    if (options_.up) tell_direction("up", fields, &here, there);
    if (options_.down) tell_direction("down", fields, there, &here);
    const auto cost = nanoseconds_an_octet(here);
    const auto cost_there = there ? nanoseconds_an_octet(*there) : std::nullopt;
    const auto number = [](const std::optional<double>& v) {
      return v ? json(std::round(*v * 1000) / 1000) : json(nullptr);
    };
    fields["cpu_ns_per_byte"] = {{"here", number(cost)}, {"there", number(cost_there)}};
    fields["path_changes"] = here.path_changes;
    fields["path_changes_there"] = there ? json(there->path_changes) : json(nullptr);
    says_.emit("bench", std::move(fields));
    for (const auto& line : lines_) says_.result(line);
    const auto words = [](const std::optional<double>& v) {
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%.2f ns", v.value_or(0));
      return v ? std::string(text.data()) : std::string("unknown");
    };
    says_.result("cpu   " + words(cost) + " a byte here, " + words(cost_there) + " there");
    if (!path) return;
    says_.result("path  " + std::string(path_name(*path)) + ", " + to_string(path->via.remote) +
                 ", " + short_ms(path->rtt) + "; changed " + std::to_string(here.path_changes) +
                 (here.path_changes == 1 ? " time" : " times"));
  }

  void fail(const session::failure& why) {
    if (status()) return;
    says_.error(why);
    finish(why.status);
  }

  const options& options_;
  reporter& says_;
  std::optional<session::bench_asker> run_;
  time_point began_{};
  std::optional<time_point> tick_, told_at_;
  bench_view told_;
  std::vector<std::string> lines_;
  bool interrupted_ = false;
};

}  // namespace

int run_bench(const options& o) {
  reporter says(o, false);
  auto config = peer_config_of(o);
  config.confirms = true;
  peer_io::runtime world(runtime_options_of(o), std::move(config));
  bench_command command(o, says);
  return static_cast<int>(world.run(command));
}

}  // namespace nat::commands
