#include "peer-cli/io/runtime.hpp"

#include <algorithm>
#include <csignal>
#include <iterator>
#include <memory>
#include <utility>

#include <boost/asio/post.hpp>

#include "peer-cli/io/interfaces.hpp"

namespace nat::peer_io {

namespace net = boost::asio;
using error_code = boost::system::error_code;

namespace {

std::optional<stun::io::udp_socket> open_socket(const net::any_io_executor& executor,
                                                const address& on, const runtime_options& options,
                                                std::string& why) {
  for (unsigned port = options.port_low; port <= options.port_high; ++port) {
    try {
      return stun::io::udp_socket(executor, {on, static_cast<std::uint16_t>(port)});
    } catch (const boost::system::system_error& e) {
      why = e.code().message();
    }
  }
  return std::nullopt;
}

}  // namespace

runtime::runtime(runtime_options options, session::peer_config config)
    : options_(std::move(options)),
      peer_(std::move(config), certificate_, random_, clock::now()),
      websocket_(context_.get_executor(), options_.server,
                 {.on_open =
                      [this](std::uint32_t id) {
                        const auto token =
                            options_.token ? options_.token() : session::signaling_token{};
                        peer_.signaling_opened(id, token, clock::now()), pump();
                      },
                  .on_text =
                      [this](std::uint32_t id, std::string_view text) {
                        peer_.signaling_received(id, text, clock::now()), pump();
                      },
                  .on_closed =
                      [this](std::uint32_t id, std::string reason) {
                        peer_.signaling_closed(id, reason, clock::now()), pump();
                      }}),
      names_(context_.get_executor(),
             [this](const std::string& name, std::optional<address> found) {
               peer_.name_resolved(name, found, clock::now());
               pump();
             }),
      interfaces_(context_.get_executor(), [this] { follow_addresses(); }),
      timer_(context_),
      signals_(context_, SIGINT, SIGTERM) {
  open_first_sockets();
}

runtime::~runtime() = default;

void runtime::open_first_sockets() {
  std::string why = "no network interface has an address";
  for (const auto& on : options_.bind.empty() ? host_addresses() : options_.bind) {
    if (add_socket(on, why) || options_.bind.empty()) continue;
    throw setup_error{"can't bind " + to_string(on) + ": " + why +
                      "; --bind takes an address of this host, --port a range with a free port"};
  }
  if (sockets_.empty()) throw setup_error{"can't open a UDP socket: " + why};
  follow_gateways();
  peer_.sockets_complete(clock::now());
}

// Addresses come and go while we run: a cable, a hotel's network, a tunnel.
void runtime::follow_addresses() {
  if (stopping_) return;
  if (!options_.bind.empty()) {
    follow_gateways();
    return pump();
  }
  const auto present = host_addresses();
  const auto stands_on = [](const auto& entry) { return entry.first.ip; };
  for (auto socket = sockets_.begin(); socket != sockets_.end();) {
    const auto base = socket->first;
    const bool gone = std::ranges::find(present, base.ip) == present.end();
    socket = gone ? sockets_.erase(socket) : std::next(socket);
    if (gone) peer_.remove_socket(base, clock::now());
  }
  for (const auto& on : present) {
    std::string why;  // an address that can't be bound yet is tried at the next change
    if (std::ranges::find(sockets_, on, stands_on) == sockets_.end()) add_socket(on, why);
  }
  follow_gateways();
  pump();
}

// A router of the interface that a socket's address is on: no other sees its packets.
void runtime::follow_gateways() {
  if (!peer_.config().port_mapping) return;
  const auto gateways = default_gateways();
  links_.clear();
  for (const auto& [base, socket] : sockets_) {
    const auto link = links_[base] = interface_of(base.ip);
    std::vector<address> routers;
    for (const auto& one : gateways) {
      if (one.interface == link && one.router.v4 == base.ip.v4) routers.push_back(one.router);
    }
    peer_.set_gateways(base, routers, clock::now());
    if (!routers.empty() && !announcements_) {
      announcements_.emplace(context_.get_executor(), [this](const endpoint& from, byte_view said) {
        peer_.handle_announcement(from, said, clock::now());
        pump();
      });
    }
  }
}

bool runtime::add_socket(const address& on, std::string& why) {
  auto opened = open_socket(context_.get_executor(), on, options_, why);
  if (!opened) return false;
  const auto base = opened->local();
  auto& socket = sockets_.emplace(base, std::move(*opened)).first->second;
  socket.start(
      [this, base](const stun::io::udp_socket::received& in) {
        const auto now = clock::now();
        const path from{transport::udp, base, in.from};
        for (std::size_t at = 0; at < in.data.size(); at += in.segment_size) {
          const auto size = std::min(in.segment_size, in.data.size() - at);
          peer_.handle_datagram(from, in.data.subspan(at, size), now);
        }
      },
      [this] { pump(); },
      [this, base](const endpoint& destination, int) {
        peer_.handle_send_failure({transport::udp, base, destination}, clock::now());
      });
  peer_.add_socket(base, next_preference_, clock::now());
  if (next_preference_ > 256) next_preference_ = static_cast<std::uint16_t>(next_preference_ - 256);
  return true;
}

session::exit_status runtime::run(command& what) {
  command_ = &what;
  std::signal(SIGPIPE, SIG_IGN);
  wait_for_signal();
  pump();
  while (!may_end() && context_.run_one() > 0) {
  }
  return what.status().value_or(session::exit_status::internal);
}

void runtime::wait_for_signal() {
  signals_.async_wait([this](error_code error, int) {
    if (error) return;
    if (stopping_) {  // asked twice: go at once
      last_moment_ = clock::now();
      return;
    }
    command_->interrupted(peer_, clock::now());
    wait_for_signal();
    pump();
  });
}

void runtime::pump() {
  // A callback from inside (a stream that fails at once) is served by the round under way.
  if (pumping_) {
    again_ = true;
    return;
  }
  pumping_ = true;
  do {
    again_ = false;
    const auto now = clock::now();
    while (auto event = peer_.poll_event(now)) command_->handle(*event, peer_, now);
    command_->advance(peer_, now);
    if (command_->status() && !stopping_) begin_stop();
    while (auto wanted = peer_.poll_request(now)) {
      perform(*wanted);
      again_ = true;
    }
    while (auto out = peer_.poll_transmit(now)) send(*out);
    if (auto event = peer_.poll_event(now)) {
      command_->handle(*event, peer_, now);
      again_ = true;
    }
  } while (again_);
  for (auto& [base, socket] : sockets_) socket.flush();
  pumping_ = false;
  arm();
}

void runtime::begin_stop() {
  stopping_ = true;
  last_moment_ = clock::now() + std::chrono::seconds{3};
  peer_.stop(clock::now());
  again_ = true;
}

// Allocations are given back and the last message is out, or it has taken too long.
bool runtime::may_end() const {
  if (!stopping_) return false;
  return (peer_.stopped() && !websocket_.busy()) || clock::now() >= *last_moment_;
}

void runtime::arm() {
  auto next = earlier(peer_.next_timeout(), last_moment_);
  if (command_ && !command_->status()) next = earlier(next, command_->next_timeout());
  if (next == armed_) return;
  armed_ = next;
  if (!next) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*next);
  timer_.async_wait([this](error_code stopped) {
    if (stopped) return;
    armed_.reset();
    peer_.handle_timeout(clock::now());
    pump();
  });
}

void runtime::send(const transmit& out) {
  if (out.via.proto == transport::udp) {
    const auto socket = sockets_.find(out.via.local);
    if (socket == sockets_.end()) return;
    const auto& to = out.via.remote;
    if (!to.ip.v4 && (is_link_local(to.ip) || is_multicast(to.ip))) {
      return send_on_link(socket->second.native_handle(), links_[out.via.local], to, out.data);
    }
    socket->second.send(out.via.remote, out.data, out.segment_size, out.hop_limit);
    return;
  }
  for (auto& [id, connection] : streams_) {
    if (connection.via == out.via) return connection.stream.send(out.data);
  }
}

void runtime::perform(session::request& wanted) {
  if (const auto* const connection = std::get_if<session::signaling_connect>(&wanted)) {
    websocket_.connect(connection->id);
  } else if (auto* const text = std::get_if<session::signaling_send>(&wanted)) {
    websocket_.send(text->id, std::move(text->text));
  } else if (const auto* const left = std::get_if<session::signaling_disconnect>(&wanted)) {
    websocket_.disconnect(left->id);
  } else if (const auto* const resolve = std::get_if<session::resolve_server>(&wanted)) {
    perform(*resolve);
  } else if (const auto* const name = std::get_if<session::resolve_name>(&wanted)) {
    names_.ask(name->name);
  } else if (const auto* const open = std::get_if<ice::open_stream>(&wanted)) {
    perform(*open);
  } else if (auto* const exchange = std::get_if<portmap::tcp_exchange>(&wanted)) {
    perform(*exchange);
  } else if (const auto* const close = std::get_if<ice::close_stream>(&wanted)) {
    std::erase_if(streams_, [&](const auto& entry) { return entry.second.via == close->via; });
  }
}

void runtime::perform(const session::resolve_server& wanted) {
  lookups_[wanted.id] = std::make_unique<stun::io::name_lookup>(
      context_.get_executor(), wanted.host,
      [this, id = wanted.id](const std::vector<address>& found, const std::string&) {
        peer_.server_resolved(id, found, clock::now());
        net::post(context_, [this, id] { lookups_.erase(id); });
        pump();
      });
}

void runtime::perform(portmap::tcp_exchange& wanted) {
  const auto link =
      std::ranges::find(links_, wanted.from, [](const auto& entry) { return entry.first.ip; });
  exchanges_[wanted.id] = std::make_unique<http_exchange>(
      context_.get_executor(), wanted.from, wanted.to, link == links_.end() ? 0 : link->second,
      std::move(wanted.request), [this, id = wanted.id](std::optional<std::string_view> received) {
        peer_.exchange_done(id, received, clock::now());
        net::post(context_, [this, id] { exchanges_.erase(id); });
        pump();
      });
}

void runtime::perform(const ice::open_stream& wanted) {
  stun::io::stream_options options;
  options.tls = wanted.tls;
  options.host = wanted.host;
  options.ca_file = options_.server.ca_file;
  options.tls_insecure = options_.server.tls_insecure;
  const auto id = wanted.id;
  address from;  // any of the right family
  from.v4 = wanted.remote.ip.v4;
  stun::io::stream stream(
      context_.get_executor(), from, wanted.remote, options,
      [this, id, remote = wanted.remote](const endpoint& local) {
        const path via{transport::tcp, local, remote};
        if (const auto found = streams_.find(id); found != streams_.end()) found->second.via = via;
        peer_.stream_opened(id, via, clock::now());
        pump();
      },
      [this, id](byte_view message) {
        const auto found = streams_.find(id);
        if (found == streams_.end() || !found->second.via) return;
        const auto via = *found->second.via;
        peer_.handle_datagram(via, message, clock::now());
        pump();
      },
      [this, id](std::string reason) {
        peer_.stream_closed(id, reason, clock::now());
        // Not from inside its own callback.
        net::post(context_, [this, id] { streams_.erase(id); });
        pump();
      });
  streams_.emplace(id, open_connection{std::nullopt, std::move(stream)});
}

}  // namespace nat::peer_io
