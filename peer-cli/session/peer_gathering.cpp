// The part of the peer that finds out where it can be reached.

#include <algorithm>
#include <utility>

#include "peer-cli/session/peer.hpp"

namespace nat::session {
namespace {

ice::gather_config gather_config_for(const peer_config& config) {
  ice::gather_config gather;
  gather.relay_only = config.policy == path_policy::relay;
  gather.no_relay = config.policy == path_policy::direct;
  return gather;
}

}  // namespace

void peer::start_gathering(time_point now) {
  gatherer_ = std::make_unique<ice::gatherer>(gather_config_for(config_), random_, now);
  ++epoch_;
  found_.clear();
  gathered_ = false;
  relays_asked_ = config_.relays_at_once;
  if (stopping_) return;
  for (const auto& s : sockets_) gatherer_->add_socket(s.base, s.preference, now);
  for (const auto& server : servers_) {
    if (server.what == ice::server::kind::stun) gatherer_->add_server(server, now);
  }
  for (const auto& mapping : mapper_.mappings()) offer_mapping(mapping);
}

void peer::learn_servers(const std::vector<given_server>& given, time_point now) {
  servers_.clear();
  resolving_.clear();
  for (const auto& server : given) {
    const auto url = parse_ice_url(server.url);
    if (!url) continue;  // options were checked; a server that announces nonsense is no help
    if (const auto ip = parse_address(url->host)) {
      add_server(server, *url, {*ip, url->port}, now);
    } else if (resolving_.size() < 16) {
      resolving_.push_back({next_id_, server, *url});
      requests_.emplace_back(resolve_server{next_id_++, url->host, url->port});
    }
  }
}

void peer::add_server(const given_server& given, const ice_url& url, const endpoint& where,
                      time_point now) {
  ice::server server;
  server.url = given.url;
  server.what = url.turn ? ice::server::kind::turn : ice::server::kind::stun;
  server.proto = url.proto;
  server.tls = url.tls;
  server.host = url.host;
  server.address = where;
  server.username = given.username;
  server.password = given.credential;
  servers_.push_back(server);
  const bool relay = server.what == ice::server::kind::turn;
  if (relay && config_.policy == path_policy::direct) return;
  // Who connects wants everything at once; who waits asks for relays when somebody comes.
  if (!relay || relays_asked_ || config_.target) gatherer_->add_server(server, now);
}

void peer::ask_relays(time_point now) {
  if (!std::exchange(relays_asked_, true) && !config_.target &&
      config_.policy != path_policy::direct) {
    for (const auto& server : servers_) {
      if (server.what == ice::server::kind::turn) gatherer_->add_server(server, now);
    }
  }
  end_of_servers(now);
}

void peer::end_of_servers(time_point now) {
  if (relays_asked_ && resolving_.empty()) gatherer_->end_of_servers(now);
}

void peer::server_resolved(std::uint32_t id, const std::vector<address>& addresses,
                           time_point now) {
  const auto pending =
      std::ranges::find_if(resolving_, [&](const pending_server& p) { return p.id == id; });
  if (pending == resolving_.end()) return;
  const auto asked = std::move(*pending);
  resolving_.erase(pending);
  if (addresses.empty()) {
    events_.emplace_back(server_silent{
        {asked.given.url, {}, 0, "its name '" + asked.url.host + "' can't be resolved"}});
  }
  bool have_v4 = false, have_v6 = false;  // one address of each family is enough
  for (const auto& ip : addresses) {
    if (std::exchange(ip.v4 ? have_v4 : have_v6, true)) continue;
    add_server(asked.given, asked.url, {ip, asked.url.port}, now);
  }
  end_of_servers(now);
}

void peer::add_socket(const endpoint& base, std::uint16_t local_preference, time_point now) {
  sockets_.push_back({base, local_preference});
  gatherer_->add_socket(base, local_preference, now);
}

void peer::sockets_complete(time_point now) {
  if (!config_.use_signaling) end_of_servers(now);
}

void peer::remove_socket(const endpoint& base, time_point now) {
  std::erase_if(sockets_, [&](const socket& s) { return s.base == base; });
  std::erase_if(found_, [&](const ice::found& f) { return f.what.base == base; });
  gatherer_->remove_socket(base, now);
  mapper_.remove(base, now);
  if (link_) link_->remove_local(base, now);
}

void peer::stream_opened(std::uint32_t id, const path& connection, time_point now) {
  if (auto* const owner = owner_of_stream(id)) {
    owner->stream_opened(id & 0xffff, connection, now);
  } else {
    requests_.emplace_back(ice::close_stream{connection});  // who asked for it is gone
  }
}

void peer::stream_closed(std::uint32_t id, const std::string& reason, time_point now) {
  if (auto* const owner = owner_of_stream(id)) owner->stream_closed(id & 0xffff, reason, now);
}

void peer::flush_gatherer(time_point now) {
  while (auto event = gatherer_->poll_event()) handle(*event, now);
  for (auto& old : retiring_) {
    while (auto event = old.gatherer->poll_event()) {
      if (const auto* const close = std::get_if<ice::close_stream>(&*event)) {
        requests_.emplace_back(*close);
      }
    }
  }
  drop_released(now);
}

void peer::drop_released(time_point now) {
  std::erase_if(retiring_,
                [now](const retired& r) { return r.gatherer->released() || now >= r.deadline; });
}

ice::gatherer* peer::owner_of_stream(std::uint32_t id) {
  if (id >> 16 == epoch_) return gatherer_.get();
  const auto old = std::ranges::find(retiring_, id >> 16, &retired::epoch);
  return old == retiring_.end() ? nullptr : old->gatherer.get();
}

void peer::handle(ice::gather_event& event, time_point now) {
  if (auto* const found = std::get_if<ice::found>(&event)) {
    if (link_) link_->add_local(found->what, now);
    if (link_ && described_) send_candidate(found->what);
    events_.emplace_back(local_candidate{*found});
    // A mapping that moved takes the place of what it was.
    std::erase_if(found_, [&](const ice::found& f) {
      return f.what.kind == found->what.kind && f.what.base == found->what.base &&
             f.via == found->via;
    });
    found_.push_back(std::move(*found));
  } else if (auto* const silent = std::get_if<ice::server_failed>(&event)) {
    events_.emplace_back(server_silent{std::move(*silent)});
  } else if (auto* const open = std::get_if<ice::open_stream>(&event)) {
    open->id |= epoch_ << 16;
    requests_.emplace_back(std::move(*open));
  } else if (const auto* const close = std::get_if<ice::close_stream>(&event)) {
    requests_.emplace_back(*close);
  } else if (const auto* const lost = std::get_if<ice::lost>(&event)) {
    std::erase_if(found_, [&](const ice::found& f) { return f.what.base == lost->base; });
    if (link_) link_->remove_local(lost->base, now);
  } else {
    gathered_ = true;
    events_.emplace_back(ice::gathered{});
    if (link_) link_->end_of_local(now);
    if (link_ && described_) send_candidate(std::nullopt);
  }
}

}  // namespace nat::session
