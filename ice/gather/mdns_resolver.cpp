#include "ice/gather/mdns_resolver.hpp"

#include <algorithm>

namespace nat::ice::mdns {
namespace {

std::string lowered(std::string_view name) {
  std::string out(name);
  for (auto& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

template <class Queue>
auto pop(Queue& queue) -> std::optional<typename Queue::value_type> {
  if (queue.empty()) return std::nullopt;
  auto front = std::move(queue.front());
  queue.pop_front();
  return front;
}

}  // namespace

bool resolver::ask(std::string_view name, time_point now) {
  if (!is_name(name)) return false;
  auto lower_name = lowered(name);
  if (std::ranges::find(questions_, lower_name, &question::lower_name) != questions_.end()) {
    return true;
  }
  if (questions_.size() >= config_.max_names) return false;
  // RFC 6762, 18.1: the query identifier is zero in multicast queries.
  outbox_.push_back(write_query(name, 0));
  questions_.push_back({.name = std::string(name),
                        .lower_name = std::move(lower_name),
                        .known = {},
                        .wait = config_.first_wait,
                        .due = now + config_.first_wait});
  return true;
}

void resolver::handle_datagram(const endpoint& from, byte_view datagram) {
  if (from.port != port || questions_.empty()) return;
  for (const auto& found : read_response(datagram)) {
    const auto asked = std::ranges::find(questions_, found.name, &question::lower_name);
    if (asked != questions_.end()) take(*asked, found.address);
  }
}

void resolver::take(question& asked, const nat::address& ip) {
  // A wildcard address names no place; Chromium registers it for the socket of its default route.
  if (is_unspecified(ip) || is_multicast(ip) || asked.known.size() >= config_.max_addresses ||
      std::ranges::find(asked.known, ip) != asked.known.end()) {
    return;
  }
  asked.known.push_back(ip);
  events_.push_back({asked.name, ip});
}

void resolver::handle_timeout(time_point now) {
  std::erase_if(questions_, [&](question& q) {
    if (q.due > now) return false;
    // One round of answers is all there is: the other family's comes with the first or never.
    if (!q.known.empty()) return true;
    if (q.queries == config_.max_queries) {
      events_.push_back({q.name, std::nullopt});
      return true;
    }
    ++q.queries;
    q.wait *= 2;
    q.due = now + q.wait;
    outbox_.push_back(write_query(q.name, 0));
    return false;
  });
}

std::optional<bytes> resolver::poll_transmit() {
  return pop(outbox_);
}

std::optional<resolved> resolver::poll_event() {
  return pop(events_);
}

std::optional<time_point> resolver::next_timeout() const {
  std::optional<time_point> out;
  for (const auto& q : questions_) out = earlier(out, q.due);
  return out;
}

}  // namespace nat::ice::mdns
