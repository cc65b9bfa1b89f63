#include "tests/bench/load/relay_load.hpp"

#include <algorithm>
#include <cstring>

#include "protocol/base/big_endian.hpp"
#include "stun/turn/channel_data.hpp"

namespace nat::bench {
namespace {

using clock = std::chrono::steady_clock;

// Nothing heard for so long: what was on its way is lost.
constexpr auto lost_after = std::chrono::milliseconds{100};
constexpr std::size_t numbers_size = 12;

std::uint32_t next_load() {
  static std::uint32_t loads = 0;
  return ++loads;
}

}  // namespace

std::string_view to_string(direction d) noexcept {
  switch (d) {
    case direction::up:
      return "up";
    case direction::down:
      return "down";
    case direction::both:
      break;
  }
  return "there and back";
}

relay_load::relay_load(std::deque<turn_flow>& flows, std::size_t count, direction way,
                       std::size_t size, std::size_t window, bool segmented)
    : way_(way),
      window_(window),
      pattern_(size),
      load_(next_load()),
      in_(segmented),
      out_(segmented),
      swept_(clock::now()) {
  for (std::size_t i = 0; i < size; ++i) pattern_[i] = static_cast<std::byte>(i * 7);
  for (std::size_t i = 0; i < count; ++i) {
    const auto *client = &flows[i].client(), *peer = &flows[i].peer();
    lanes_.push_back({.source = way == direction::down ? peer : client,
                      .sink = way == direction::up ? peer : client,
                      .echo = way == direction::both ? peer : nullptr,
                      .channel = flows[i].channel(clock::now()),
                      .heard = clock::now()});
    ready_.add(*lanes_[i].sink, i);
    if (lanes_[i].echo != nullptr) ready_.add(*lanes_[i].echo, count + i);
  }
}

void relay_load::run_for(double seconds) {
  now_ = clock::now();
  for (std::size_t i = 0; i < lanes_.size(); ++i) fill(i);
  const auto end = now_ + std::chrono::duration<double>(seconds);
  while (now_ < end) {
    ready_.wait(20, [this](std::uint64_t number) {
      if (number < lanes_.size()) return take(number);
      const auto& echo = *lanes_[number - lanes_.size()].echo;
      in_.receive(echo);
      in_.send_back(echo);
    });
    now_ = clock::now();
    if (now_ - swept_ > lost_after / 4) sweep();
  }
}

void relay_load::fill(std::size_t i) {
  auto& flow = lanes_[i];
  // A quarter at once: a call for every packet would keep this program busier than the server.
  if (flow.next - flow.expected > window_ - std::max<std::size_t>(1, window_ / 4)) return;
  const bool wrapped = way_ != direction::down;
  const auto header = wrapped ? turn::channel_header_size : 0;
  while (flow.next - flow.expected < window_) {
    const auto count = std::min(batch::capacity, window_ - (flow.next - flow.expected));
    for (std::size_t k = 0; k < count; ++k) {
      const auto room = out_.add(header + pattern_.size());
      if (wrapped) {
        store_be(room, 0, flow.channel);
        store_be(room, 2, static_cast<std::uint16_t>(pattern_.size()));
      }
      std::memcpy(&room[header], pattern_.data(), pattern_.size());
      store_be(room, header, load_);
      store_be(room, header + 4, static_cast<std::uint32_t>(i));
      store_be(room, header + 8, flow.next + static_cast<std::uint32_t>(k));
    }
    const auto sent = out_.send(*flow.source);
    flow.next += static_cast<std::uint32_t>(sent);
    if (sent < count) return;  // the kernel is full; sweep() comes back to it
  }
}

std::size_t relay_load::header_of_sink() const {
  return way_ == direction::up ? 0 : turn::channel_header_size;
}

relay_load::verdict relay_load::judge(byte_view packet, std::size_t i,
                                      std::uint32_t& number) const {
  const auto header = header_of_sink();
  if (packet.size() < header + numbers_size) return verdict::damaged;
  if (header > 0 && load_be<std::uint16_t>(packet) != lanes_[i].channel) return verdict::damaged;
  const auto payload = packet.subspan(header);
  if (load_be<std::uint32_t>(payload) != load_) return verdict::stale;
  number = load_be<std::uint32_t>(payload, 8);
  const bool whole = payload.size() == pattern_.size() && load_be<std::uint32_t>(payload, 4) == i &&
                     std::memcmp(&payload[numbers_size], &pattern_[numbers_size],
                                 pattern_.size() - numbers_size) == 0;
  return whole ? verdict::intact : verdict::damaged;
}

void relay_load::take(std::size_t i) {
  auto& flow = lanes_[i];
  in_.receive(*flow.sink);
  for (std::size_t k = 0; k < in_.size(); ++k) {
    std::uint32_t number = 0;
    const auto seen = judge(in_[k], i, number);
    if (seen == verdict::damaged) ++counted.damaged;
    if (seen != verdict::intact) continue;
    // Numbers ahead: those between are lost. Behind: one that was counted as lost.
    const auto ahead = static_cast<std::int32_t>(number - flow.expected);
    if (ahead < 0) continue;
    counted.lost += static_cast<std::uint32_t>(ahead);
    ++counted.delivered;
    flow.expected = number + 1;
  }
  flow.heard = now_;
  fill(i);
}

void relay_load::sweep() {
  swept_ = now_;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto& flow = lanes_[i];
    if (now_ - flow.heard < lost_after) continue;
    counted.lost += flow.next - flow.expected;
    flow.expected = flow.next;
    flow.heard = now_;
    fill(i);
  }
}

}  // namespace nat::bench
