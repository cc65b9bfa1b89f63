#include "signaling/io/cluster_service.hpp"

#include <utility>

#include "signaling/io/event_loop.hpp"
#include "signaling/io/log.hpp"

namespace nat::signaling::io {

cluster_service::cluster_service(event_loop& loop, const cluster_url& redis,
                                 std::optional<tls::client_context> tls,
                                 cluster::member::settings settings, random_source& random,
                                 std::function<void(hub::envelope&)> deliver)
    : loop_(loop),
      member_(std::move(settings), fence_, random),
      host_(redis,
            [this](const std::string& name, stun::io::name_lookup::result told) {
              lookup_.emplace(loop_.context().get_executor(), name, std::move(told));
            }),
      tls_(std::move(tls)),
      commands_(loop.poll(), tls_ ? &*tls_ : nullptr, events_of(cluster::line::commands)),
      inbox_line_(loop.poll(), tls_ ? &*tls_ : nullptr, events_of(cluster::line::inbox)),
      timer_(loop.context()),
      deliver_(std::move(deliver)) {}

line_events cluster_service::events_of(cluster::line which) {
  return {.before = [this] { loop_.update_clock(); },
          .connected =
              [this, which] {
                if (which == cluster::line::commands) host_.reached();
                member_.handle_connected(which, loop_.now());
              },
          .disconnected =
              [this, which](const std::string& why) {
                member_.handle_disconnected(which, why, loop_.now());
              },
          .replied = [this, which](
                         const cluster::reply& r) { member_.handle_reply(which, r, loop_.now()); }};
}

void cluster_service::start() {
  loop_.after_each_batch([this] { carry_out(); });
  member_.start(loop_.now());
  carry_out();
}

bool cluster_service::receive(hub::envelope& e) {
  const auto how = inbox_.put(e);
  if (how == inbox::outcome::first) loop_.post([this] { take_inbox(); });
  return how != inbox::outcome::full;
}

redis_line& cluster_service::line_of(cluster::line which) {
  return which == cluster::line::commands ? commands_ : inbox_line_;
}

void cluster_service::connect(cluster::line which) {
  host_.find(which, [this, which](const std::expected<endpoint, std::string>& where) {
    loop_.update_clock();
    auto& line = line_of(which);
    where ? line.connect(*where) : line.refuse(where.error());
    carry_out();
  });
}

void cluster_service::take_inbox() {
  for (auto& e : inbox_.take()) member_.handle_envelope(std::move(e), loop_.now());
}

void cluster_service::carry_out() {
  if (carrying_out_) return;
  carrying_out_ = true;
  const auto now = loop_.now();
  for (bool busy = true; busy;) {
    busy = false;
    while (const auto a = member_.poll_action(now)) {
      busy = true;
      if (a->what == cluster::action::type::connect) connect(a->where);
      if (a->what == cluster::action::type::disconnect) {
        host_.cancel(a->where);
        line_of(a->where).disconnect();
      }
      if (a->what == cluster::action::type::send) line_of(a->where).send(a->words);
    }
    commands_.flush();
    inbox_line_.flush();
    while (auto e = member_.poll_envelope()) {
      busy = true;
      deliver_(*e);
    }
  }
  note_state();
  arm();
  carrying_out_ = false;
}

void cluster_service::note_state() {
  if (const auto all = member_.stats().lapses; std::exchange(told_lapses_, all) != all) {
    log_warning("the lease ended in Redis before its time: all names are claimed again");
  }
  const auto now_state = member_.state();
  if (now_state == told_state_ && (up() || member_.trouble() == told_)) return;
  if (up()) {
    log_info("the cluster is there");
    told_.clear();
  } else if (now_state == cluster::state::away && member_.trouble() != told_) {
    told_ = member_.trouble();
    log_warning("the cluster is away: " + told_);
  }
  told_state_ = now_state;
}

void cluster_service::arm() {
  const auto next = member_.next_timeout();
  if (next == armed_) return;
  armed_ = next;
  if (!next) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*next);
  timer_.async_wait([this](boost::system::error_code stopped) {
    if (stopped) return;
    armed_.reset();
    loop_.update_clock();
    member_.handle_timeout(loop_.now());
    carry_out();
  });
}

hub::cluster_gauges cluster_service::look() const {
  const auto& s = member_.stats();
  return {.configured = true,
          .state = hub::cluster_gauges::states[static_cast<std::size_t>(member_.state())],
          .commands = s.commands,
          .failures = s.failures,
          .disconnects = s.disconnects,
          .subscriptions = s.subscriptions,
          .published = s.published,
          .received = s.received,
          .acknowledgements_missing = s.acknowledgements_missing,
          .unavailable = s.unavailable,
          .malformed = s.malformed,
          .superseded = s.superseded,
          .epochs = s.epochs,
          .lapses = s.lapses};
}

}  // namespace nat::signaling::io
