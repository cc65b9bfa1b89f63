#pragma once

// Several servers, each an exchange and a member, on one fake Redis in virtual time. Links can be
// cut, servers frozen; what each client got is kept, and every delivery, from another server or
// from its own, is noted with the generation that it was for.

#include <algorithm>
#include <memory>
#include <utility>

#include "signaling/hub/registry.hpp"
#include "tests/check.hpp"
#include "tests/signaling/cluster/fake_redis.hpp"

namespace nat::test {

using namespace std::chrono_literals;

struct cluster_client {
  std::size_t server = 0;
  std::uint32_t slot = 0;
  auto operator<=>(const cluster_client&) const = default;
};

class cluster_servers {
 public:
  explicit cluster_servers(std::size_t count, std::uint64_t seed = 1, std::size_t max_held = 65'536,
                           std::size_t max_held_per_site = 0)
      : random_(seed) {
    limits.messages_per_second = 0;
    limits.idle_timeout = limits.register_timeout = 0ms;
    for (std::size_t i = 0; i < count; ++i) {
      servers_.push_back(
          std::make_unique<server>(*this, "node" + std::to_string(i), max_held, max_held_per_site));
    }
    for (auto& s : servers_) s->part.start(now);
    settle();
  }

  cluster_client connect(std::size_t at) {
    auto& s = *servers_[at];
    const cluster_client c{at, s.clients.connect({from, make_v4(0x7f000001), now}, now)};
    told_[c] = {.serial = ++serial_};
    return c;
  }
  void say(cluster_client c, const std::string& text) {
    servers_[c.server]->clients.handle_text(c.slot, text, now);
    settle();
  }
  void enter(cluster_client c, const std::string& name, const std::string& resume = {}) {
    say(c, R"({"type":"register","peer_id":")" + name + '"' +
               (resume.empty() ? "" : R"(,"resume":")" + resume + '"') + '}');
  }
  cluster_client join(std::size_t at, const std::string& name, const std::string& resume = {}) {
    const auto c = connect(at);
    enter(c, name, resume);
    return c;
  }
  void offer(cluster_client c, const std::string& to, const std::string& what = "x") {
    say(c, R"({"type":"offer","target":")" + to + R"(","sdp":")" + what + "\"}");
  }
  void leave(cluster_client c, hub::ending how) {
    servers_[c.server]->clients.handle_closed(c.slot, how, now);
    told_[c].gone = true;
    settle();
  }
  // The resume secret that a client has been given.
  static std::string secret_in(const std::string& text) {
    const auto at = text.find("\"resume\":\"");
    return at == text.npos ? "" : text.substr(at + 10, 24);
  }
  std::string heard(cluster_client c) {
    if (closed(c).empty()) servers_[c.server]->clients.handle_written(c.slot, 0, 0);
    return std::exchange(told_[c].text, {});
  }
  std::string closed(cluster_client c) { return told_[c].closed; }
  cluster::member& part(std::size_t i) { return servers_[i]->part; }

  // Redis is not there for this server: what it sends stays without an answer.
  void cut(std::size_t i, bool yes) {
    auto& s = *servers_[i];
    s.cut = yes;
    if (!yes) settle();
  }
  // Redis does what this server asks for, and its answers are lost.
  void lose_answers(std::size_t i, bool yes) { servers_[i]->mute = yes; }
  // Its connections end. Connecting works unless `down`.
  void disconnect(std::size_t i) {
    auto& s = *servers_[i];
    unsubscribe(s);
    s.queue.clear();
    s.ended = s.frozen;
    if (s.frozen) return;
    s.part.handle_disconnected(cluster::line::commands, "cut", now);
    s.part.handle_disconnected(cluster::line::inbox, "cut", now);
    settle();
  }
  void drop_subscription(std::size_t i) {
    unsubscribe(*servers_[i]);
    servers_[i]->part.handle_disconnected(cluster::line::inbox, "cut", now);
    settle();
  }
  // It ends without anybody's saying so.
  void forget_subscription(std::size_t i) { unsubscribe(*servers_[i]); }
  void kill(std::size_t i) {
    servers_[i]->dead = true;
    unsubscribe(*servers_[i]);
  }
  void freeze(std::size_t i, bool yes) {
    auto& s = *servers_[i];
    s.frozen = yes;
    if (yes) return;
    if (s.ended) return disconnect(i);
    settle();
  }

  // To the given end, from one deadline to the next, as a driver does.
  void pass(duration d) {
    const auto end = now + d;
    for (;;) {
      std::optional<time_point> next;
      for (auto& s : servers_) {
        if (s->frozen || s->dead) continue;
        next = earlier(next, earlier(s->part.next_timeout(), s->clients.next_timeout()));
        if (!s->cut && !s->queue.empty() && redis_free_ > now) next = earlier(next, redis_free_);
      }
      if (!next || *next > end) break;
      now = std::max(now, *next);
      for (auto& s : servers_) {
        if (s->frozen || s->dead) continue;
        s->part.handle_timeout(now);
        s->clients.handle_timeout(now);
      }
      settle();
    }
    now = end;
    settle();
  }

  // All that can happen without time passing; in a random order, one step at a time.
  void settle() {
    if (hold) return;
    std::vector<server*> order;
    for (bool busy = true; busy;) {
      busy = false;
      order.clear();
      for (auto& s : servers_) {
        if (!s->frozen && !s->dead) order.push_back(s.get());
      }
      for (std::size_t n = order.size(); n > 1; --n) {
        std::swap(order[n - 1], order[random_below(random_, n)]);
      }
      for (auto* s : order) busy = step(*s) || busy;
    }
  }

  // Clients of a server that have a name, as far as they know.
  std::vector<cluster_client> named(std::size_t at) const {
    std::vector<cluster_client> out;
    for (const auto& [c, t] : told_) {
      if (c.server == at && !t.gone && t.closed.empty() && t.generation != 0) out.push_back(c);
    }
    return out;
  }

  // What is wrong with who owns what, while all servers are there and nothing is under way: each
  // name that a client has is its own in its server's registry and in Redis, and nobody else's; and
  // Redis knows of no other. Empty: nothing.
  std::string quarrel() {
    std::map<std::string, std::size_t> owners;
    std::size_t live = 0;
    for (const auto& [c, t] : told_) {
      auto& s = *servers_[c.server];
      if (t.gone || !t.closed.empty() || t.generation == 0) continue;
      const auto& name = s.clients.name_of(c.slot);
      if (++owners[name] > 1) return name + " has two owners";
      if (!s.names.find(name, name, t.generation).sender_owns) return name + " is not told";
      const auto known = redis.names.find(name);
      if (known == redis.names.end()) return name + " is not in Redis";
      if (s.channel != cluster::inbox_channel(known->second.node) ||
          known->second.generation != t.generation) {
        return name + " is another's in Redis";
      }
    }
    for (const auto& s : servers_) live += s->names.live();
    if (live != owners.size()) return "a registry has names of nobody";
    for (const auto& [name, e] : redis.names) {
      if (e.node != "-" && !owners.contains(name) && redis.live(e)) return name + " is nobody's";
    }
    return {};
  }

  // Name and generation: the serial of the client that it was delivered to. More than one is the
  // end of the world.
  std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> delivered;
  bool two_owners = false;
  std::string asked;                   // every word that was sent to Redis as a command
  bool down = false;                   // Redis: whoever connects fails
  bool hold = false;                   // do nothing until settle() is called without it
  duration per_name{};                 // what Redis takes for each name that a command is about
  address from = make_v4(0xc0000201);  // where clients connect from
  fake_redis redis;
  hub::limits limits;
  time_point now{1h};

 private:
  struct server {
    server(cluster_servers& all, const std::string& node, std::size_t max_held,
           std::size_t max_held_per_site)
        : names(all.limits, all.random_),
          guessers(all.random_),
          clients(0, all.limits, all.plan_, names, guessers),
          part({.node = node, .max_held = max_held, .max_held_per_site = max_held_per_site}, fence,
               all.random_),
          channel(cluster::inbox_channel(node)) {
      clients.join_cluster(fence);
    }
    hub::fence fence;
    hub::registry names;
    hub::penalties guessers;
    hub::exchange clients;
    cluster::member part;
    std::string channel;
    std::deque<std::pair<std::uint64_t, words>> queue;  // commands on their way, numbered
    bool cut = false, frozen = false, dead = false;
    bool mute = false;
    bool ended = false;  // its connections, while it was frozen
  };
  struct told {
    std::uint64_t serial = 0;      // of all clients: slots are used again
    std::uint64_t generation = 0;  // of its name, once it has one
    std::string text{}, closed{};
    bool gone = false;
  };

  void unsubscribe(server& s) { redis.subscribers.erase(s.channel); }

  bool step(server& s) {
    bool busy = false;
    while (const auto o = s.clients.poll_output()) {
      busy = true;
      take(s, *o);
    }
    if (auto e = s.clients.poll_envelope()) {
      busy = true;
      if (e->to.loop == hub::cluster_place) {
        s.part.handle_envelope(std::move(*e), now);
      } else {
        s.clients.handle_envelope(*e, now);
      }
    }
    if (auto e = s.part.poll_envelope()) {
      busy = true;
      hear(s, *e);
    }
    if (const auto a = s.part.poll_action(now)) {
      busy = true;
      carry_out(s, *a);
    }
    return (!s.cut && exchange_with_redis(s)) || busy;
  }

  void carry_out(server& s, const cluster::action& a) {
    using type = cluster::action::type;
    if (a.what == type::disconnect) {
      if (a.where == cluster::line::inbox) return unsubscribe(s);
      return s.queue.clear();
    }
    if (a.what == type::connect) {
      if (s.cut) return;
      if (down) return s.part.handle_disconnected(a.where, "down", now);
      return s.part.handle_connected(a.where, now);
    }
    for (const auto& word : a.words) asked += word + ' ';
    if (a.where == cluster::line::commands) return s.queue.push_back({++asked_, a.words});
    if (a.words[0] != "SUBSCRIBE" || s.cut) return;
    redis.subscribers[s.channel];
    s.part.handle_reply(a.where, array({"subscribe", s.channel, "1"}), now);
  }

  // A Redis that takes time takes things in the order in which they come.
  bool is_next(const server& s) const {
    return per_name == duration::zero() || std::ranges::all_of(servers_, [&](const auto& other) {
             return other->cut || other->queue.empty() ||
                    other->queue.front().first >= s.queue.front().first;
           });
  }

  bool exchange_with_redis(server& s) {
    if (!s.queue.empty() && redis_free_ <= now && is_next(s)) {
      const auto command = std::move(s.queue.front().second);
      s.queue.pop_front();
      const bool route = command.size() > 1 && command[1] == cluster::route_script().sha;
      redis_free_ = now + per_name * (route ? std::stol(command[2]) / 2 : 1);
      const auto answer = redis.execute(command, now);
      if (!s.mute) s.part.handle_reply(cluster::line::commands, answer, now);
      return true;
    }
    const auto inbox = redis.subscribers.find(s.channel);
    if (inbox == redis.subscribers.end() || inbox->second.empty()) return false;
    const auto text = std::move(inbox->second.front());
    inbox->second.pop_front();
    s.part.handle_reply(cluster::line::inbox, array({"message", s.channel, text}), now);
    return true;
  }

  static reply array(const words& texts) {
    reply out{.what = reply::type::array};
    for (const auto& t : texts) out.items.push_back({.what = reply::type::text, .text = t});
    return out;
  }

  // A word from the cluster. What comes of it shows whom a name has been given to, and that nobody
  // got what was for another generation.
  void hear(server& s, const hub::envelope& e) {
    const auto registered = s.clients.stats().registered;
    s.clients.handle_envelope(e, now);
    auto& t = told_[{index_of(s), e.to.slot}];
    if (s.clients.stats().registered != registered) t.generation = e.from.generation;
    const bool delivery = e.what == hub::envelope::type::deliver;
    while (const auto o = s.clients.poll_output()) {
      const bool made = delivery && o->what == hub::output::type::text && o->slot == e.to.slot;
      if (made && t.generation != e.to.generation) two_owners = true;
      take(s, *o);
    }
  }

  std::size_t index_of(const server& s) const {
    std::size_t i = 0;
    while (servers_[i].get() != &s) ++i;
    return i;
  }

  void take(server& s, const hub::output& o) {
    auto& t = told_[{index_of(s), o.slot}];
    if (o.what == hub::output::type::text) {
      t.text += o.payload;
      if (o.payload.find("\"from\":") != o.payload.npos) note(s, o.slot, t);
      return;
    }
    if (o.what == hub::output::type::ping) return;
    t.closed = o.payload;
    s.clients.handle_closed(o.slot, hub::ending::unclean, now);
  }

  void note(server& s, std::uint32_t slot, const told& t) {
    const auto [at, fresh] =
        delivered.try_emplace({s.clients.name_of(slot), t.generation}, t.serial);
    if (!fresh && at->second != t.serial) two_owners = true;
  }

  seeded_random random_;
  std::uint64_t serial_ = 0, asked_ = 0;
  time_point redis_free_{};
  hub::announcement plan_;
  std::vector<std::unique_ptr<server>> servers_;
  std::map<cluster_client, told> told_;
};

}  // namespace nat::test
