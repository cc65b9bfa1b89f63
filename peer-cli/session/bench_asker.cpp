#include <utility>

#include "peer-cli/session/bench.hpp"

namespace nat::session {

bench_asker::bench_asker(const bench_request& request, link& over, time_point now)
    : request_(request) {
  datachannel::channel_options options;
  options.label = bench_label;
  channel_ = over.open(options, now);
  if (!channel_ || !over.send(*channel_, write(request_), true, now)) {
    fail("bench-not-asked", "the connection takes no channel for a bench");
  }
}

void bench_asker::handle_message(const datachannel::message& message, link& over,
                                 const bench_clock& clock) {
  if (finished_ || message.id != channel_) return;
  const auto what = read_bench(message.data);
  bool allowed = what.has_value();
  if (!what) {
  } else if (const auto* const no = std::get_if<bench_refused>(&*what); no && !flow_) {
    handle_refusal(no->why, over);
  } else if (std::holds_alternative<bench_accepted>(*what) && !flow_) {
    flow_.emplace(bench_flow::rules{request_.up, request_.down, request_.length}, *channel_, over,
                  clock);
    deadline_ = clock.now + request_.length + grace;
  } else if (const auto* const data = std::get_if<bench_data>(&*what); data && flow_) {
    allowed = flow_->handle_data(data->size, clock.now);
  } else if (std::holds_alternative<bench_end>(*what) && flow_) {
    allowed = flow_->handle_end(clock.now);
  } else if (const auto* const report = std::get_if<bench_report>(&*what); report && flow_) {
    there_ = report->seen;
    finish(over, clock);
  } else {
    allowed = false;
  }
  if (!allowed) {
    fail("no-bench",
         "'" + over.remote_id() + "' does not understand a bench; does it run `peer-cli listen`?");
  }
}

void bench_asker::handle_refusal(bench_refusal why, const link& over) {
  const auto name = "'" + over.remote_id() + "'";
  if (why == bench_refusal::too_long) {
    fail("bench-refused", name + " refuses a bench of that length; give fewer --seconds");
  } else {
    fail("bench-refused", name + " refuses the bench; try again later");
  }
}

void bench_asker::handle_closed(datachannel::channel_id id, const link& over) {
  if (finished_ || channel_ != id) return;
  fail("no-bench",
       "'" + over.remote_id() + "' closed the bench's channel; does it run `peer-cli listen`?");
}

void bench_asker::handle_path_change() {
  if (flow_ && !finished_) flow_->handle_path_change();
}

void bench_asker::advance(link& over, const bench_clock& clock) {
  if (finished_ || !flow_) return;
  if (stop_unsent_) stop_unsent_ = !over.send(*channel_, write(bench_stop{}), true, clock.now);
  flow_->advance(over, clock.now);
  if (clock.now >= *deadline_) finish(over, clock);
}

void bench_asker::stop(link& over, const bench_clock& clock) {
  if (finished_) return;
  if (!flow_) return finish(over, clock);
  flow_->stop_sending(clock.now);
  deadline_ = std::min(*deadline_, clock.now + stop_grace);
  stop_unsent_ = request_.down;
  advance(over, clock);
}

bench_view bench_asker::here(const link& over, const bench_clock& clock) const {
  return result_ ? *result_ : flow_ ? flow_->view(over, clock) : bench_view{};
}

void bench_asker::finish(link& over, const bench_clock& clock) {
  if (flow_) result_ = flow_->view(over, clock);
  finished_ = true;
}

void bench_asker::fail(std::string code, std::string message) {
  why_ = failure{exit_status::peer_absent, std::move(code), std::move(message)};
  finished_ = true;
}

std::optional<time_point> bench_asker::next_timeout() const {
  if (finished_ || !flow_) return std::nullopt;
  return earlier(flow_->next_timeout(), deadline_);
}

}  // namespace nat::session
