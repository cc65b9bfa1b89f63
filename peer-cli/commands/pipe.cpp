// `listen` and `connect`: standard input and output become the two directions of a pipe.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/commands/cpu_clock.hpp"
#include "peer-cli/commands/nat_teller.hpp"
#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/io/runtime.hpp"
#include "peer-cli/io/standard_streams.hpp"
#include "peer-cli/session/bench.hpp"
#include "peer-cli/session/echo.hpp"
#include "peer-cli/session/pipe.hpp"

namespace nat::commands {
namespace {

using session::exit_status;

class pipe_command final : public peer_io::command {
 public:
  pipe_command(const options& o, reporter& says, peer_io::runtime& world)
      : options_(o),
        says_(says),
        world_(world),
        input_(world.executor(), STDIN_FILENO),
        output_(world.executor(), STDOUT_FILENO),
        nat_(o, world) {
    output_.when_reader_leaves([this] { reader_left(); });
  }

  void handle(session::peer_event& event, session::peer& peer, time_point now) override {
    if (status()) return;
    peer_ = &peer;
    says_.event(event);
    auto* const link = peer.current();
    if (std::holds_alternative<session::link_ready>(event) && link) {
      ready(*link, now);
    } else if (const auto* const told = std::get_if<session::registered>(&event)) {
      nat_.learn(*told);
    } else if (const auto* const opened = std::get_if<datachannel::channel_opened>(&event);
               opened && link) {
      channel_opened(*opened, *link, now);
    } else if (auto* const message = std::get_if<datachannel::message>(&event); message) {
      // The link may be over already, with its last messages still on their way to us.
      if (link && answer(*message, *link, now)) return;
      if (pipe_ && pipe_->id() == message->id) pipe_->received(std::move(*message), link, now);
    } else if (const auto* const room = std::get_if<datachannel::writable>(&event); room && link) {
      if (pipe_ && pipe_->id() == room->id) pipe_->handle_writable(*link, now);
    } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event)) {
      if (pipe_ && pipe_->id() == closed->id) pipe_->handle_closed();
      echo_.handle_closed(closed->id);
      bench_.handle_closed(closed->id);
      nat_.handle_closed(closed->id);
    } else if (std::holds_alternative<session::path_found>(event)) {
      bench_.handle_path_change();
    } else if (auto* const ended = std::get_if<session::link_ended>(&event)) {
      link_ended(ended->why, peer);
    } else if (const auto* const failure = std::get_if<session::failure>(&event)) {
      fail(*failure);
    }
  }

  void advance(session::peer& peer, time_point now) override {
    auto* const link = peer.current();
    if (link && bench_.running()) bench_.advance(*link, read_clock(now));
    if (const auto seen = bench_.poll_result(); seen && link) tell_bench(*seen, link->remote_id());
    if (link) nat_.advance(*link, now);
    if (!pipe_ || status()) return;
    if (const auto* const data = pipe_->front(); data && !output_.writing()) {
      output_.write(*data, [this](int error) { written(error); });
    }
    if (!link) return settle();
    if (pipe_->wants_input() && !input_.reading()) {
      input_.read(std::min(session::pipe::chunk, link->max_message_size()),
                  [this](bytes data, int error) { input(std::move(data), error); });
    }
    if (pipe_->finished(*link) && !output_.writing()) link->shutdown(now);
  }

  [[nodiscard]] std::optional<time_point> next_timeout() const override {
    return bench_.next_timeout();
  }

  void interrupted(session::peer&, time_point) override {
    says_.error({exit_status::interrupted, "interrupted", "interrupted"});
    finish(exit_status::interrupted);
  }

 private:
  void ready(session::link& link, time_point now) {
    if (options_.command != verb::connect) return;
    datachannel::channel_options channel;
    channel.label = session::pipe_label;
    if (const auto id = link.open(channel, now)) start_pipe(*id);
  }

  void channel_opened(const datachannel::channel_opened& opened, session::link& link,
                      time_point now) {
    if (!opened.by_peer || options_.command == verb::connect) return;
    if (echo_.takes(opened, link, now) || bench_.takes(opened, link, now)) return;
    if (nat_.takes(opened, link, now) || pipe_) return;
    const auto& how = opened.options;
    if (how.ordered && !how.max_retransmits && !how.max_lifetime_ms) return start_pipe(opened.id);
    says_.say("a channel that may lose or reorder is no pipe; closed it");
    link.close_channel(opened.id, now);
  }

  // True: it was a check's, a ping's, a bench's or a question about the NAT, and is answered.
  bool answer(const datachannel::message& message, session::link& link, time_point now) {
    if (bench_.owns(message.id)) {
      bench_.handle_message(message, link, read_clock(now));
      return true;
    }
    if (nat_.handle_message(message, link, now)) {
      says_.say(link.remote_id() + " asks how this host's NAT behaves");
      return true;
    }
    const auto what = echo_.answer(message, link, now);
    if (what == session::echo::kind::check) says_.message(link, message.data.size());
    return what.has_value();
  }

  void tell_bench(const session::bench_view& seen, const std::string& by) {
    says_.say("bench by " + by + ": " + std::to_string(seen.received) + " bytes received, " +
              std::to_string(seen.sent) + " sent");
  }

  void start_pipe(datachannel::channel_id id) {
    pipe_.emplace(id);
    broken_.reset();
  }

  void input(bytes data, int error) {
    auto* const link = peer_->current();
    const auto now = std::chrono::steady_clock::now();
    if (!pipe_ || !link || status()) return;
    if (error != 0) {
      fail({exit_status::internal, "read-failed",
            std::string("can't read standard input: ") + std::strerror(error)});
      return world_.pump();
    }
    data.empty() ? pipe_->end_input(*link, now) : pipe_->input(std::move(data), *link, now);
    world_.pump();
  }

  void written(int error) {
    if (!pipe_) return;
    const auto now = std::chrono::steady_clock::now();
    if (error == EPIPE) {
      reader_left();
    } else if (error != 0) {
      fail({exit_status::internal, "write-failed",
            std::string("can't write to standard output: ") + std::strerror(error)});
    } else if (pipe_->front()) {
      pipe_->written(peer_->current(), now);
    }
    world_.pump();
  }

  // Nobody will ever read again: not from this peer, nor from those who would follow.
  void reader_left() {
    reader_gone_ = true;
    auto* const link = peer_ ? peer_->current() : nullptr;
    if (pipe_ && link && !pipe_->abandoned()) {
      pipe_->abandon(*link, std::chrono::steady_clock::now());
    } else if (!pipe_ || !link) {
      finish(exit_status::done);
    }
    world_.pump();
  }

  void link_ended(std::optional<session::failure>& why, session::peer& peer) {
    echo_ = {};
    bench_ = {};
    nat_.link_ended();
    if (!pipe_) return ended_without_pipe(why);
    says_.nat(peer.nat_seen());
    says_.closed(*peer.ended(), pipe_->sent(), pipe_->received_bytes());
    if (why) {
      broken_ = std::move(why);
    } else if (!pipe_->closed() && !pipe_->remote_ended()) {
      broken_ = session::failure{exit_status::path_lost, "peer-left",
                                 "the peer left before its data was complete"};
    }
    settle();
  }

  void ended_without_pipe(const std::optional<session::failure>& why) {
    const bool waits = options_.command == verb::listen &&
                       (options_.keep || !why || why->status == exit_status::peer_absent);
    says_.nat(peer_->nat_seen());
    if (why && waits) {
      says_.say(why->message);
    } else if (why) {
      fail(*why);
    } else if (!waits) {
      fail({exit_status::path_lost, "peer-left", "the peer left before the pipe was open"});
    }
  }

  // What came before the link ended is still written out, then the command is over.
  void settle() {
    const bool draining = pipe_->front() && !pipe_->abandoned();
    peer_->set_accepting(!draining);  // whoever comes next finds nothing of this one left
    if (draining) return;
    const auto broken = std::exchange(broken_, std::nullopt);
    pipe_.reset();
    if (options_.command == verb::listen && options_.keep && !reader_gone_) {
      if (broken) says_.say(broken->message);
      return;
    }
    broken ? fail(*broken) : finish(says_.status_after(exit_status::done));
  }

  void fail(const session::failure& why) {
    says_.error(why);
    finish(why.status);
  }

  const options& options_;
  reporter& says_;
  peer_io::runtime& world_;
  session::peer* peer_ = nullptr;
  peer_io::input_stream input_;
  peer_io::output_stream output_;
  std::optional<session::pipe> pipe_;
  session::echo echo_;
  session::bench_answer bench_;
  nat_teller nat_;
  bool reader_gone_ = false;
  std::optional<session::failure> broken_;
};

}  // namespace

int run_pipe(const options& o) {
  reporter says(o, true);
  peer_io::runtime world(runtime_options_of(o), peer_config_of(o));
  pipe_command command(o, says, world);
  return static_cast<int>(world.run(command));
}

}  // namespace nat::commands
