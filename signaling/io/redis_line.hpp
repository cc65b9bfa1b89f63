#pragma once

// One connection to a Redis, by hiredis, on an event loop's poller. It reconnects by itself never:
// the cluster's member says when (signaling/cluster/member.hpp).

#include <functional>
#include <string>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "signaling/cluster/member.hpp"
#include "signaling/io/poller.hpp"

struct redisAsyncContext;
struct redisReply;

namespace nat::signaling::io {

struct line_events {
  std::function<void()> before;  // whatever else is called; the time is to be looked at
  std::function<void()> connected, disconnected;
  std::function<void(const cluster::reply&)> replied;
};

class redis_line final : public pollable {
 public:
  redis_line(poller&, const endpoint& server, line_events);
  ~redis_line() override;

  // A failure is told as `disconnected` by the next flush(), as hiredis may fail at once.
  void connect();
  // Silently; commands without a reply get none.
  void disconnect();
  void send(const std::vector<std::string>& words);
  // Writes what can be written, and tells of a connection that could not be made.
  void flush();
  void handle_ready(std::uint32_t events) override;

 private:
  struct hooks;
  void watch(std::uint32_t events);
  void told_of_end();

  poller& poller_;
  const endpoint server_;
  line_events events_;
  redisAsyncContext* context_ = nullptr;
  int watched_ = -1;
  std::uint32_t wanted_ = 0;
  bool connected_ = false, ended_ = false;
};

}  // namespace nat::signaling::io
