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

// What `take` returns; port 0: the first time that it does not throw.
template <class Take>
auto take_port(const endpoint& where, Take take) {
  constexpr int max_attempts = 16;
  for (int attempt = 1;; ++attempt) {
    try {
      return take();
    } catch (const startup_error&) {
      if (where.port != 0 || attempt == max_attempts) throw;
    }
  }
}

// TCP on a port that UDP has free too; one that is not given, at the alternate address as well.
socket_handle listen_for_streams(endpoint& where, const std::vector<endpoint>& alternates) {
  auto taken = take_port(where, [&] {
    auto socket = listen_on(where, purpose::stun_stream, true);
    const auto port = local_endpoint(socket.get()).port;
    require_free_udp_port({where.ip, port});
    for (const auto& e : alternates) {
      if (where.port == 0 && e.ip.v4 == where.ip.v4) require_free_udp_port({e.ip, port});
    }
    return socket;
  });
  where = local_endpoint(taken.get());
  return taken;
}

void listen_stun(const options& o, const event_loops& loops, server_addresses& bound) {
  bind_each(o.stun, o.stun_given, [&](endpoint where) {
    auto first = listen_for_streams(where, o.stun_alternate);
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
    // Port 0 is chosen here: with SO_REUSEPORT the kernel may choose one that another server
    // shares.
    where = take_port(where, [&] {
      const auto free = require_free_udp_port(where);
      require_free_udp_port({primary.ip, free.port});
      return free;
    });
    require_free_udp_port({where.ip, primary.port});
    for (const auto& loop : loops) loop->add_stun_alternate(primary, where);
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
