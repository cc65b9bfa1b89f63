#include "signaling/io/listening.hpp"

#include <algorithm>
#include <utility>

#include "signaling/io/log.hpp"
#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

namespace {

using event_loops = std::vector<std::unique_ptr<event_loop>>;

// Addresses that were not asked for by name may be missing: IPv6 is, on some machines.
template <class Bind>
void bind_each(const std::vector<endpoint>& all, bool given, Bind bind) {
  for (const auto& where : all) {
    try {
      bind(where);
    } catch (const startup_error& wrong) {
      if (given || !wrong.unsupported_family) throw;
      log_info("not listening on " + to_string(where) + ": this machine does not have it");
    }
  }
}

void listen_websocket(const options& o, const event_loops& loops, server_addresses& bound) {
  bind_each(o.listen, o.listen_given, [&](endpoint where) {
    for (const auto& loop : loops) {
      auto socket = listen_on(where, purpose::websocket, loop == loops.front());
      where = local_endpoint(socket.get());  // port 0: the others share the first one's
      loop->add_listener(std::move(socket), purpose::websocket);
    }
    bound.websocket.push_back(where);
  });
  if (bound.websocket.empty()) throw startup_error{"no address to listen on"};
}

// TCP on a port that UDP has free too; port 0: on the first such one that is found.
socket_handle listen_for_streams(endpoint& where) {
  constexpr int max_attempts = 16;
  for (int attempt = 1;; ++attempt) {
    auto socket = listen_on(where, purpose::stun_stream, true);
    const auto bound = local_endpoint(socket.get());
    try {
      require_free_udp_port(bound);
      where = bound;
      return socket;
    } catch (const startup_error&) {
      if (where.port != 0 || attempt == max_attempts) throw;
    }
  }
}

void listen_stun(const options& o, const event_loops& loops, server_addresses& bound) {
  bind_each(o.stun, o.stun_given, [&](endpoint where) {
    auto first = listen_for_streams(where);
    for (const auto& loop : loops) {
      auto streams = first ? std::move(first) : listen_on(where, purpose::stun_stream, false);
      loop->add_listener(std::move(streams), purpose::stun_stream);
      loop->add_stun(where);
    }
    bound.stun.push_back(where);
  });
}

void listen_stun_alternates(const options& o, const event_loops& loops, server_addresses& bound) {
  bind_each(o.stun_alternate, true, [&](endpoint where) {
    const auto& primary = *std::ranges::find_if(bound.stun, [&](const endpoint& e) {
      return e.ip.v4 == where.ip.v4 && !is_unspecified(e.ip);
    });
    for (const auto& e :
         {where, endpoint{where.ip, primary.port}, endpoint{primary.ip, where.port}}) {
      require_free_udp_port(e);
    }
    for (const auto& loop : loops) where = loop->add_stun_alternate(primary, where);
    bound.stun_alternate.push_back(where);
  });
}

}  // namespace

server_addresses listen(const options& o, const event_loops& loops) {
  server_addresses bound;
  listen_websocket(o, loops, bound);
  listen_stun(o, loops, bound);
  listen_stun_alternates(o, loops, bound);
  return bound;
}

}  // namespace nat::signaling::io
