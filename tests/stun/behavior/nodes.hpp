#pragma once

// RFC 5780 on the simulator: a server at four doors and a host that finds out about its NAT.

#include <deque>
#include <map>
#include <vector>

#include "protocol/base/big_endian.hpp"
#include "stun/behavior/discovery.hpp"
#include "stun/server.hpp"
#include "tests/sim/world.hpp"

namespace nat::test {

// Answers over UDP, and over TCP on its first address. Without `alternate` an ordinary STUN server.
class stun_node final : public sim::node {
 public:
  struct options {
    bool alternate = true, v6 = false, udp = true, tcp = true;
    duration one_way = std::chrono::milliseconds{15};
  };

  stun_node(sim::world& w, options o) : options_(o), host_(w.add_host(w.internet())) {
    const sim::link_rules link{.delay = o.one_way};
    const auto first = host_.add_interface(w.internet(), link, !o.v6, o.v6).front();
    const auto second = host_.add_interface(w.internet(), link, !o.v6, o.v6).front();
    addresses_ = {{first, 3478}, {second, 3479}};
    for (const bool ip : {false, true}) {
      for (const bool port : {false, true}) {
        const stun::server_door door{ip, port};
        if (o.alternate || door == stun::server_door{}) {
          doors_[host_.bind(*this, addresses_.at(door).ip, addresses_.at(door).port)] = door;
        }
      }
    }
    if (o.tcp) host_.listen(*this, at());
    w.attach(host_, *this);
  }

  void handle_datagram(const path& from, byte_view data, time_point) override {
    std::array<std::byte, stun::max_behavior_answer> room;
    if (from.proto == transport::tcp || !options_.alternate) {
      const auto out = stun::answer(data, from.remote, room);
      if (out && (options_.udp || from.proto == transport::tcp)) queue(from, *out);
      return;
    }
    const auto out = stun::answer(data, from.remote, doors_.at(from.local), addresses_, room);
    if (!out || !options_.udp || dead_.contains(out->through.alternate_ip)) return;
    queue({transport::udp, addresses_.at(out->through), out->to}, out->data);
  }
  std::optional<transmit> poll_transmit() override {
    if (outbox_.empty()) return std::nullopt;
    auto out = std::move(outbox_.front());
    outbox_.pop_front();
    return out;
  }

  [[nodiscard]] endpoint at() const { return addresses_.primary; }
  // Nothing leaves by that address any more.
  void silence(bool alternate_ip) { dead_[alternate_ip] = true; }

 private:
  void queue(const path& via, byte_view data) {
    outbox_.push_back({via, to_bytes(data), 0, std::nullopt});
  }

  options options_;
  sim::host& host_;
  stun::behavior_addresses addresses_;
  std::map<endpoint, stun::server_door> doors_;
  std::map<bool, bool> dead_;
  std::deque<transmit> outbox_;
};

class curious_node final : public sim::node {
 public:
  curious_node(sim::world& w, sim::host& h, const address& local, behavior::discovery_config config)
      : world_(w),
        host_(h),
        local_(local),
        started_(w.now()),
        finder(std::move(config), w.chance(), w.now()) {
    w.attach(h, *this);
  }

  void handle_datagram(const path& from, byte_view data, time_point now) override {
    if (from.proto == transport::tcp) {
      finder.handle_tcp(true, now);
      return finder.handle_tcp(false, now);  // servers may close behind their answer
    }
    const auto at = ids_.find(from.local);
    if (at == ids_.end()) return;
    finder.handle_datagram(at->second, from.local.ip, from.remote, data, now);
    note_end(now);
  }
  void handle_send_failure(const path& via, time_point now) override {
    if (const auto at = ids_.find(via.local); at != ids_.end()) {
      finder.handle_unreachable(at->second, via.remote, now);
    }
    note_end(now);
  }
  void handle_stream_opened(const path& via, std::uint32_t, time_point) override {
    const behavior::exchange plain{.to = via.remote};
    streams_.push_back({via, write_request({}, plain), 0, std::nullopt});
  }
  void handle_stream_closed(const path&, std::uint32_t, time_point now) override {
    finder.handle_tcp(false, now);
    note_end(now);
  }
  void handle_timeout(time_point now) override {
    finder.handle_timeout(now);
    note_end(now);
  }
  std::optional<transmit> poll_transmit() override {
    while (const auto wanted = finder.poll_request()) perform(*wanted);
    if (!streams_.empty()) {
      auto out = std::move(streams_.front());
      streams_.pop_front();
      return out;
    }
    const auto out = finder.poll_transmit(world_.now());
    if (!out) return std::nullopt;
    return transmit{{transport::udp, doors_.at(out->through), out->to}, out->data, 0, std::nullopt};
  }
  std::optional<time_point> next_timeout() const override { return finder.next_timeout(); }

  // How long it took; nothing while it goes on.
  std::optional<duration> took;
  std::size_t opened = 0;

 private:
  void perform(const behavior::discovery_request& wanted) {
    if (const auto* open = std::get_if<behavior::open_socket>(&wanted)) {
      // Ports of the system's choice, as they are on real hosts: no order in them.
      endpoint local{local_, 0};
      while (local.port == 0 || ids_.contains(local)) {
        local.port = static_cast<std::uint16_t>(32768 + world_.chance().below(28000));
      }
      doors_[open->id] = host_.bind(*this, local_, local.port);
      ids_[doors_[open->id]] = open->id;
      ++opened;
      finder.socket_opened(open->id, doors_[open->id], world_.now());
    } else if (const auto* close = std::get_if<behavior::close_socket>(&wanted)) {
      host_.close(doors_.at(close->id));
      ids_.erase(doors_.at(close->id));
    } else {
      host_.connect(*this, local_, std::get<behavior::ask_tcp>(wanted).server, 1);
    }
  }
  void note_end(time_point now) {
    if (!took && finder.finished()) took = now - started_;
  }

  sim::world& world_;
  sim::host& host_;
  address local_;
  time_point started_;
  std::map<behavior::socket_id, endpoint> doors_;
  std::map<endpoint, behavior::socket_id> ids_;
  std::deque<transmit> streams_;

 public:
  behavior::discovery finder;
};

}  // namespace nat::test
