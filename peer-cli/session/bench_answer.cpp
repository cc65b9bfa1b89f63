#include <utility>

#include "peer-cli/session/bench.hpp"

namespace nat::session {

bool bench_answer::takes(const datachannel::channel_opened& opened, link& over, time_point now) {
  if (opened.options.label != bench_label) return false;
  const auto& how = opened.options;
  if (channel_ || !how.ordered || how.max_retransmits || how.max_lifetime_ms) {
    over.close_channel(opened.id, now);
  } else {
    channel_ = opened.id;
  }
  return true;
}

void bench_answer::handle_message(const datachannel::message& message, link& over,
                                  const bench_clock& clock) {
  const auto what = read_bench(message.data);
  bool allowed = what.has_value();
  if (!what) {
  } else if (const auto* const request = std::get_if<bench_request>(&*what)) {
    accept(*request, over, clock);
  } else if (std::holds_alternative<bench_stop>(*what)) {
    if (flow_) flow_->stop_sending(clock.now);
  } else if (const auto* const data = std::get_if<bench_data>(&*what); data && flow_) {
    allowed = flow_->handle_data(data->size, clock.now);
  } else if (std::holds_alternative<bench_end>(*what) && flow_) {
    allowed = flow_->handle_end(clock.now);
  } else {
    allowed = false;
  }
  if (!allowed) return end_badly(over, clock.now);
  advance(over, clock);
}

void bench_answer::accept(const bench_request& request, link& over, const bench_clock& clock) {
  const auto refuse = [&](bench_refusal why) {
    static_cast<void>(over.send(*channel_, write(bench_refused{why}), true, clock.now));
  };
  if (used_) return refuse(bench_refusal::busy);
  if (request.length > max_bench_length) return refuse(bench_refusal::too_long);
  if (!over.send(*channel_, write(bench_accepted{}), true, clock.now)) return;
  used_ = true;
  flow_.emplace(bench_flow::rules{request.down, request.up, request.length}, *channel_, over,
                clock);
  deadline_ = clock.now + request.length + grace;
}

void bench_answer::advance(link& over, const bench_clock& clock) {
  if (!flow_) return;
  if (clock.now >= deadline_) return end_badly(over, clock.now);
  flow_->advance(over, clock.now);
  if (!flow_->complete()) return;
  const auto seen = flow_->view(over, clock);
  if (!over.send(*channel_, write(bench_report{seen}), true, clock.now)) return;
  result_ = seen;
  flow_.reset();
}

void bench_answer::end_badly(link& over, time_point now) {
  flow_.reset();
  over.close_channel(*channel_, now);
}

void bench_answer::handle_closed(datachannel::channel_id id) {
  if (channel_ != id) return;
  flow_.reset();
  channel_.reset();
}

void bench_answer::handle_path_change() {
  if (flow_) flow_->handle_path_change();
}

std::optional<bench_view> bench_answer::poll_result() {
  return std::exchange(result_, std::nullopt);
}

std::optional<time_point> bench_answer::next_timeout() const {
  if (!flow_) return std::nullopt;
  return earlier(flow_->next_timeout(), deadline_);
}

}  // namespace nat::session
