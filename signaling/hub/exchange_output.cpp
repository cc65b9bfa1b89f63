// What the exchange wants sent. Payloads stand in one arena that is used again once all has been
// taken, so that forwarding allocates nothing.

#include <algorithm>

#include "signaling/hub/exchange.hpp"

namespace nat::hub {

namespace {
constexpr std::size_t arena_worth_keeping = 1U << 20;
// A full queue from which so many octets have gone is not stuck.
constexpr std::size_t enough_headway = 1U << 16;
}  // namespace

void exchange::rewind_outputs() {
  if (next_output_ != outputs_.size()) return;
  outputs_.clear();
  next_output_ = 0;
  arena_.clear();
  if (arena_.capacity() > arena_worth_keeping) arena_.shrink_to_fit();
}

void exchange::queue(output::type what, std::uint32_t slot, std::string_view payload,
                     websocket::close_code code) {
  outputs_.push_back({what, slot, arena_.size(), payload.size(), code});
  arena_ += payload;
}

void exchange::send(std::uint32_t slot, std::string_view text) {
  auto& c = clients_[slot];
  c.waiting += text.size() + websocket::max_frame_overhead;
  queue_peak_.note(c.waiting);
  stats_.queue_high_water = queue_peak_.value();
  stats_.bytes_out += text.size();
  queue(output::type::text, slot, text);
}

void exchange::handle_written(std::uint32_t slot, std::size_t taken, std::size_t waiting) noexcept {
  auto& c = clients_[slot];
  c.waiting = waiting;
  if (!c.full) return;
  const auto headway = c.headway + taken;
  c.full = waiting > 0 && headway < enough_headway;
  c.headway = static_cast<std::uint32_t>(std::min(headway, enough_headway));
}

void exchange::refuse(std::uint32_t slot, error_code code, std::string message,
                      std::optional<request_type> type, std::string_view target) {
  auto& c = clients_[slot];
  if (type) stats_.count(*type, fate::refused);
  if (c.closing) return;
  ++stats_.errors[static_cast<std::size_t>(code)];
  signal::error_message out{std::string(to_string(code)), std::move(message), {}, {}};
  if (type) out.request = to_string(*type);
  if (!target.empty()) out.target = target;
  const auto text = signal::to_json(signal::server_message(std::move(out)));
  if (limits_.send_queue_bytes != 0 && c.waiting + text.size() > limits_.send_queue_bytes) {
    // A client that asks and does not read its answers is as slow as one that gets too much.
    ++stats_.closed[static_cast<std::size_t>(closing::too_slow)];
    c.closing = true;
    queue(output::type::abort, slot, to_string(closing::too_slow));
    return;
  }
  send(slot, text);
}

std::optional<output> exchange::poll_output() {
  if (next_output_ == outputs_.size()) return std::nullopt;
  const auto& o = outputs_[next_output_++];
  return output{o.what, o.slot, std::string_view(arena_).substr(o.offset, o.size), o.code};
}

std::optional<std::uint32_t> exchange::slot_ahead(std::size_t others) const noexcept {
  const auto index = next_output_ + others;
  return index < outputs_.size() ? std::optional(outputs_[index].slot) : std::nullopt;
}

std::optional<envelope> exchange::poll_envelope() {
  if (envelopes_.empty()) return std::nullopt;
  auto e = std::move(envelopes_.front());
  envelopes_.pop_front();
  return e;
}

}  // namespace nat::hub
