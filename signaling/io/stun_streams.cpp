#include "signaling/io/stun_streams.hpp"

#include <algorithm>
#include <array>

#include "signaling/io/stun_stream.hpp"

namespace nat::signaling::io {

namespace {

using namespace std::chrono_literals;

constexpr auto max_patience = 10s;

duration at_most(duration most, std::chrono::milliseconds given) {
  return given.count() == 0 ? most : std::min<duration>(most, given);
}

}  // namespace

std::size_t stun_streams::path_hash::operator()(const path& p) const noexcept {
  std::array<std::byte, 36> octets;
  auto at = std::ranges::copy(p.local.ip.octets, octets.begin()).out;
  at = std::ranges::copy(p.remote.ip.octets, at).out;
  for (const auto port : {p.local.port, p.remote.port}) {
    *at++ = static_cast<std::byte>(port >> 8);
    *at++ = static_cast<std::byte>(port & 0xff);
  }
  return keyed_hash::operator()(as_text(octets));
}

stun_streams::stun_streams(surroundings in)
    : in_(std::move(in)),
      patience_(at_most(max_patience, in_.limits.register_timeout)),
      idle_(in_.limits.idle_timeout / 2),
      streams_(0, path_hash(in_.random)) {}

stun_streams::~stun_streams() = default;

void stun_streams::take(byte_stream octets, const endpoint& remote,
                        const std::optional<address>& client, byte_view first) {
  const path from{transport::tcp, local_endpoint(octets.descriptor()), remote};
  auto made = std::make_unique<stream>(*this, std::move(octets), from, client);
  auto& s = *made;
  // Link-local clients of two links may look alike.
  if (!streams_.emplace(from, std::move(made)).second) return in_.left(client);
  ++opened_;
  if (!s.watch()) return s.close();
  s.start(first);
}

stun_streams::stream* stun_streams::find(const path& key) const {
  const auto at = streams_.find(key);
  return at == streams_.end() ? nullptr : at->second.get();
}

void stun_streams::forward(const turn::to_client& out) {
  auto* s = find(out.via);
  if (s == nullptr || !s->queue(out.header(), out.data, out.padding, max_relayed_waiting)) {
    ++dropped_;
  }
}

void stun_streams::answer(const transmit& t) {
  auto* s = find(t.via);
  // As much again for those that one read has asked for.
  if (s != nullptr && !s->queue(t.data, {}, 0, 2 * max_waiting)) ++dropped_;
}

void stun_streams::flush() {
  flushing_.swap(dirty_);
  for (auto* s : flushing_) s->flush();
  flushing_.clear();
  if (dirty_.empty()) ended_.clear();  // it may name them
}

bool stun_streams::overdue(const stream& s) const {
  const auto now = in_.now;
  if (!s.settled()) return now - s.heard_at() > patience_;
  if (const auto since = s.midway_since(); since && now - *since > patience_) return true;
  return idle_ > duration::zero() && now - s.heard_at() > idle_ &&
         !in_.stun.has_allocation(s.key());
}

void stun_streams::tick() {
  std::vector<stream*> late;
  for (const auto& [key, s] : streams_) {
    if (overdue(*s)) late.push_back(s.get());
  }
  for (auto* s : late) s->close();
}

void stun_streams::list_keepers(std::vector<keeper>& out) const {
  for (const auto& [key, s] : streams_) {
    if (s->kept() > 0) out.push_back({s->kept(), [&s = *s] { s.close(); }});
  }
}

void stun_streams::bury(stream& s) {
  const auto at = streams_.find(s.key());
  ended_.push_back(std::move(at->second));
  streams_.erase(at);
  in_.left(s.client());
  in_.stun.handle_stream_closed(s.key());
}

}  // namespace nat::signaling::io
