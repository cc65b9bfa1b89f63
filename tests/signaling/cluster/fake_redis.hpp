#pragma once

// A Redis that knows what the members of a cluster ask of it, by the meaning of their scripts
// rather than their text. One table holds both to the same answers (io/cluster_scripts_test.cpp).

#include <deque>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "signaling/cluster/member.hpp"
#include "signaling/cluster/scripts.hpp"

namespace nat::test {

using cluster::reply;
using words = std::vector<std::string>;

class fake_redis {
 public:
  struct name_entry {
    std::string node, epoch;
    std::uint64_t generation = 0;
    std::string loop, slot, hash;
    std::optional<time_point> until{};
  };

  reply execute(const words& w, time_point now) {
    expire(now);
    if (w[0] == "SET") {
      const auto before = leases.find(w[1].substr(6));
      auto old = before == leases.end()
                     ? reply{}
                     : reply{.what = reply::type::text, .text = before->second.first};
      leases[w[1].substr(6)] = {w[2], now + std::chrono::milliseconds(std::stoll(w[4]))};
      return w.size() > 5 && w[5] == "GET" ? old : ok();
    }
    if (w[0] == "PUBLISH") return integer(publish(w[1], w[2]));
    if (w[0] != "EVALSHA") return ok();
    const auto keys = static_cast<std::size_t>(std::stoul(w[2]));
    const words targets(w.begin() + 3, w.begin() + 3 + static_cast<std::ptrdiff_t>(keys));
    const words rest(w.begin() + 3 + static_cast<std::ptrdiff_t>(keys), w.end());
    if (w[1] == cluster::claim_script().sha) return claim(targets[0].substr(6), rest, now);
    if (w[1] == cluster::route_script().sha) return route(targets, rest);
    if (w[1] == cluster::release_script().sha) return release(targets[0].substr(6), rest, now);
    return recover(targets, rest, now);
  }

  bool live(const name_entry& e) const {
    const auto found = leases.find(e.node);
    return found != leases.end() && found->second.first == e.epoch;
  }
  void forget_everything() {
    leases.clear();
    names.clear();
    generation = 0;
  }

  std::map<std::string, std::pair<std::string, time_point>> leases;
  std::map<std::string, name_entry> names;
  // By channel; a member takes from it what is its own.
  std::map<std::string, std::deque<std::string>> subscribers;
  std::uint64_t generation = 0;
  std::size_t published_for_the_outdated = 0;  // messages of connections that have lost their name

 private:
  static reply ok() { return {.what = reply::type::text, .text = "OK"}; }
  static reply integer(std::int64_t n) { return {.what = reply::type::integer, .integer = n}; }

  void expire(time_point now) {
    std::erase_if(leases, [&](const auto& l) { return l.second.second <= now; });
    std::erase_if(names, [&](const auto& n) { return n.second.until && *n.second.until <= now; });
  }
  std::int64_t publish(const std::string& channel, const std::string& text) {
    const auto found = subscribers.find(channel);
    if (found == subscribers.end()) return 0;
    found->second.push_back(text);
    return 1;
  }
  // As the real one: never less than the clock.
  std::uint64_t next(time_point now) {
    const auto us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count());
    return generation = std::max(generation + 1, us);
  }

  reply claim(const std::string& name, const words& a, time_point now) {
    auto hash = a[4];
    bool kept = false;
    if (const auto found = names.find(name); found != names.end()) {
      const auto& e = found->second;
      if (live(e) || e.node == "-") {
        if (e.hash != a[5]) return {.what = reply::type::array, .items = {integer(0)}};
        hash = e.hash;
        kept = true;
        if (live(e) && e.node != a[0]) {
          tell_lost(e, name);
        }
      }
    }
    const auto g = next(now);
    names[name] = {a[0], a[1], g, a[2], a[3], hash};
    return {.what = reply::type::array,
            .items = {integer(1),
                      {.what = reply::type::text, .text = std::to_string(g)},
                      {.what = reply::type::text, .text = kept ? "1" : "0"}}};
  }

  void tell_lost(const name_entry& e, const std::string& name) {
    std::string out;
    cluster::append_record(
        out, "S " + std::to_string(e.generation) + ' ' + e.loop + ' ' + e.slot + ' ' + name);
    publish(cluster::inbox_channel(e.node), out);
  }

  // Whether the record's sender has lost its name, by what the record itself says.
  bool outdated(const std::string& record) const {
    std::string id, node, loop, slot;
    std::uint64_t speaks = 0;
    std::istringstream(record) >> id >> node >> loop >> slot >> speaks;
    constexpr std::string_view key = R"("from":")";
    const auto found_at = record.find(key);
    if (found_at == record.npos) return false;  // no message of a client
    const auto at = found_at + key.size();
    const auto found = names.find(record.substr(at, record.find('"', at) - at));
    return found != names.end() && found->second.generation > speaks;
  }

  reply route(const words& keys, const words& a) {
    reply out{.what = reply::type::array};
    for (std::size_t i = 0; i < keys.size(); i += 2) {
      const auto found = names.find(keys[i].substr(6));
      const auto sender = names.find(keys[i + 1].substr(6));
      std::int64_t heard = 0;
      if (sender != names.end() && sender->second.generation > std::stoull(a[i + 1])) {
        heard = 2;
      } else if (found != names.end() && found->second.node != "-") {
        const auto& e = found->second;
        std::string text;
        cluster::append_record(
            text, "D " + std::to_string(e.generation) + ' ' + e.loop + ' ' + e.slot + ' ' + a[i]);
        if (live(e)) {
          heard = publish(cluster::inbox_channel(e.node), text);
          if (outdated(a[i])) ++published_for_the_outdated;
        } else {
          names.erase(found);
        }
      }
      out.items.push_back(integer(heard));
    }
    return out;
  }

  reply release(const std::string& name, const words& a, time_point now) {
    const auto found = names.find(name);
    if (found == names.end() || found->second.node == "-" ||
        std::to_string(found->second.generation) != a[0]) {
      return integer(0);
    }
    leave(found, a[1], now);
    return integer(1);
  }
  void leave(std::map<std::string, name_entry>::iterator at, const std::string& ms,
             time_point now) {
    if (ms == "0") {
      names.erase(at);
    } else {
      at->second.node = "-";
      at->second.until = now + std::chrono::milliseconds(std::stoll(ms));
    }
  }

  reply recover(const words& keys, const words& a, time_point now) {
    reply out{.what = reply::type::array};
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto name = keys[i].substr(6);
      const auto* each = &a[2 + 5 * i];
      const auto found = names.find(name);
      bool kept = true;
      if (each[4] == "keep" || each[4] == "check") {
        const auto g = std::stoull(each[0]);
        kept = found == names.end() || (each[4] == "keep" && found->second.node == a[0]) ||
               !(live(found->second) || found->second.node == "-") || found->second.generation <= g;
        if (kept && found != names.end() && live(found->second) && found->second.node != a[0]) {
          tell_lost(found->second, name);
        }
        if (kept) names[name] = {a[0], a[1], g, each[1], each[2], each[3]};
        generation = std::max<std::uint64_t>(generation, kept ? g : 0);
      } else if (found != names.end() && found->second.node == a[0]) {
        leave(found, each[3].find(found->second.hash) != std::string::npos ? "0" : each[4], now);
      }
      out.items.push_back(integer(kept ? 1 : 0));
    }
    return out;
  }
};

}  // namespace nat::test
