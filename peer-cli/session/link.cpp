#include "peer-cli/session/link.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "ice/gather/mdns.hpp"
#include "ice/pairing.hpp"
#include "peer-cli/session/candidate_text.hpp"
#include "protocol/demux.hpp"

namespace nat::session {
namespace {

ice::agent_config agent_config_for(const link_config& config, const ice::credentials& local) {
  auto agent = config.agent;
  agent.initial_role = config.offerer ? ice::role::controlling : ice::role::controlled;
  agent.local = local;
  return agent;
}

bool is_name(const std::string& host) {
  return !parse_address(host);
}

}  // namespace

bool is_relayed(const ice::connected& c) {
  return c.local.kind == ice::candidate_kind::relayed ||
         c.remote.kind == ice::candidate_kind::relayed;
}

link::link(link_config config, const dtls::certificate& own, random_source& random, time_point now)
    : config_(std::move(config)),
      own_(own),
      random_(random),
      local_{random_text(random, 8), random_text(random, 24)},
      sdp_session_(random_u64(random) >> 2),
      started_(now),
      agent_(agent_config_for(config_, local_), random, now) {
  note(config_.offerer ? "offer made" : "offer received", now);
}

void link::note(std::string what, time_point now) {
  if (timeline_.size() < 256) timeline_.push_back({now - started_, std::move(what)});
}

void link::add_local(const ice::candidate& candidate, time_point now) {
  if (local_candidates_.size() >= config_.agent.max_local_candidates) return;
  local_candidates_.push_back(candidate);
  agent_.add_local(candidate, now);
  note("local candidate " + std::string(to_string(candidate.kind)) + ' ' +
           to_string(candidate.address),
       now);
}

void link::end_of_local(time_point now) {
  if (std::exchange(local_ended_, true)) return;
  agent_.end_of_local(now);
}

void link::remove_local(const endpoint& base, time_point now) {
  agent_.remove_local(base, now);
}

sdp::description link::description() const {
  sdp::description d;
  d.session_id = sdp_session_;
  d.ufrag = local_.ufrag;
  d.password = local_.password;
  d.fingerprints = {dtls::to_string(own_.fingerprint())};
  d.max_message_size = datachannel::connection_config{}.max_message_size;
  d.setup = sdp::setup::actpass;
  if (!config_.offerer && remote_) {
    d.mid = remote_->mid;
    d.bundle = remote_->bundle;
    d.setup = remote_->setup == sdp::setup::active ? sdp::setup::passive : sdp::setup::active;
  }
  for (const auto& candidate : local_candidates_) {
    d.candidates.push_back(to_sdp(candidate, local_.ufrag));
    d.candidates.back().ufrag.reset();  // the description's own
  }
  d.end_of_candidates = local_ended_;
  return d;
}

std::optional<std::string> link::set_remote(const sdp::description& remote, time_point now) {
  if (remote_) return "came twice";
  for (const auto& text : remote.fingerprints) {
    if ((remote_fingerprint_ = dtls::parse_fingerprint(text))) break;
  }
  if (!remote_fingerprint_) return "has no fingerprint of a known kind (sha-256, sha-384, sha-512)";
  if (config_.offerer && remote.setup == sdp::setup::actpass) return "does not choose a DTLS role";
  remote_ = remote;
  note(config_.offerer ? "answer received" : "answer made", now);
  agent_.set_remote({remote.ufrag, remote.password}, now);
  for (const auto& candidate : remote.candidates) add_remote(candidate, now);
  if (remote.end_of_candidates) end_of_remote(now);
  start_channel(now);
  return std::nullopt;
}

bool link::repeat_remote(const sdp::description& remote, time_point now) {
  if (!remote_ || remote.ufrag != remote_->ufrag || remote.password != remote_->password) {
    return false;
  }
  for (const auto& candidate : remote.candidates) add_remote(candidate, now);
  if (remote.end_of_candidates) end_of_remote(now);
  return true;
}

void link::add_remote(const sdp::candidate& candidate, time_point now) {
  if (candidate.ufrag && remote_ && *candidate.ufrag != remote_->ufrag)
    return;  // another generation's
  const auto is_same = [&](const sdp::candidate& c) {
    return c.host == candidate.host && c.port == candidate.port && c.type == candidate.type &&
           c.proto == candidate.proto;
  };
  if (std::ranges::any_of(remote_candidates_, is_same)) return;
  if (remote_candidates_.size() < config_.agent.max_remote_candidates) {
    remote_candidates_.push_back(candidate);
  }
  if (config_.policy == path_policy::direct && candidate.type == sdp::candidate_type::relay) {
    const auto relay = from_sdp(candidate);
    if (relay && refused_.size() < config_.agent.max_remote_candidates) {
      refused_.push_back(relay->address);
    }
    return;
  }
  if (!is_name(candidate.host)) return add_address(candidate, now);
  if (!ice::mdns::is_name(candidate.host) || unresolved_.size() >= config_.max_names) return;
  unresolved_.push_back(candidate);
  events_.emplace_back(name_wanted{candidate.host});
}

void link::add_address(const sdp::candidate& candidate, time_point now) {
  const auto usable = from_sdp(candidate);
  if (usable && remote_known_ < config_.agent.max_remote_candidates) {
    ++remote_known_;
    heard_.reset();  // what looked peer-reflexive may be known better by this
    note("remote candidate " + std::string(to_string(usable->kind)) + ' ' +
             to_string(usable->address),
         now);
    agent_.add_remote(*usable, now);
    events_.emplace_back(remote_known{*usable});
  }
}

void link::end_of_remote(time_point now) {
  agent_.end_of_remote(now);
}

// A name may have several addresses; each call brings one more.
void link::resolved(const std::string& name, const std::optional<address>& where, time_point now) {
  if (!where) {  // its checks will reach us all the same, and make it peer-reflexive
    std::erase_if(unresolved_, [&](const sdp::candidate& c) { return c.host == name; });
    return;
  }
  for (auto candidate : unresolved_) {
    if (candidate.host != name) continue;
    candidate.host = to_string(*where);
    add_address(candidate, now);
  }
}

// What the policy forbids is not even heard: a check from the peer's relay would otherwise make a
// peer-reflexive candidate of it.
bool link::is_allowed(const path& from) const {
  if (config_.policy == path_policy::direct) {
    return std::ranges::find(refused_, from.remote) == refused_.end();
  }
  const auto is_ours = [&](const ice::candidate& c) { return c.base == from.local; };
  return config_.policy == path_policy::all || std::ranges::any_of(local_candidates_, is_ours);
}

bool link::handle_datagram(const path& from, byte_view datagram, time_point now) {
  if (!is_allowed(from)) return true;
  switch (classify(datagram)) {
    case datagram_kind::stun:
      if (!agent_.handle_datagram(from, datagram, now)) return false;
      drain_agent(now);
      return true;
    case datagram_kind::dtls:
      break;
    case datagram_kind::turn_channel:
    case datagram_kind::unknown:
      return false;
  }
  if (!agent_.is_checked(from)) {
    ++unchecked_;
    return true;
  }
  agent_.note_received(from, now);
  count_received(from, datagram.size());
  if (channel_) {
    channel_->handle_datagram(datagram, now);
    drain_connection(now);
  } else if (early_.size() < config_.max_early_datagrams) {
    early_.push_back(to_bytes(datagram));
    start_channel(now);
  }
  return true;
}

std::optional<ice::connected> link::describe(const path& via) const {
  if (current_ && current_->via == via) return current_;
  for (auto& pair : agent_.pairs()) {
    if (pair.local.base != via.local || pair.remote.address != via.remote) continue;
    if (ice::is_relayed(pair.remote)) pair.remote.kind = ice::candidate_kind::relayed;
    return ice::connected{via, pair.local, pair.remote, pair.nominated,
                          pair.rtt.value_or(duration{})};
  }
  return std::nullopt;
}

void link::count_received(const path& from, std::size_t size) {
  if (!heard_ || heard_->via != from) heard_ = describe(from);
  const bool relayed = heard_ && is_relayed(*heard_);
  (relayed ? traffic_.relay_received : traffic_.direct_received) += size;
}

void link::handle_send_failure(const path& where, time_point now) {
  agent_.handle_send_failure(where, now);
  drain_agent(now);
}

void link::start_channel(time_point now) {
  if (channel_ || ended_ || !remote_ || (!agent_.selected() && early_.empty())) return;
  datachannel::connection_config config;
  const bool active = config_.offerer ? remote_->setup == sdp::setup::passive
                                      : remote_->setup != sdp::setup::active;
  config.role = active ? datachannel::dtls_role::client : datachannel::dtls_role::server;
  config.remote = *remote_fingerprint_;
  config.remote_sctp_port = remote_->sctp_port;
  config.remote_max_message_size = remote_->max_message_size;
  if (const auto rtt = agent_.rtt()) config.initial_rtt = *rtt;
  channel_.emplace(config, own_, random_, now);
  for (const auto& datagram : std::exchange(early_, {})) channel_->handle_datagram(datagram, now);
  drain_connection(now);
}

void link::handle_timeout(time_point now) {
  agent_.handle_timeout(now);
  drain_agent(now);
  if (channel_) {
    channel_->handle_timeout(now);
    drain_connection(now);
  }
  if (proof_deadline_ && now >= *proof_deadline_) fail_proof(now);
  if (close_deadline_ && now >= *close_deadline_) {
    close_deadline_.reset();
    channel_->abort(now);  // else the other end would wait for its consent to expire
    drain_connection(now);
  }
}

void link::drain_agent(time_point now) {
  while (const auto event = agent_.poll_event()) handle(*event, now);
}

void link::handle(const ice::event& event, time_point now) {
  if (const auto* const found = std::get_if<ice::connected>(&event)) {
    const bool first = !connect_time_;
    if (first) connect_time_ = now - started_;
    const bool moved = !current_ || current_->via != found->via;
    current_ = *found;
    if (moved) {
      note((is_relayed(*found) ? "relayed path to " : "direct path to ") +
               to_string(found->via.remote),
           now);
      events_.emplace_back(path_found{*found, first, *connect_time_});
    }
    if (channel_) {
      channel_->set_rtt(found->rtt, now);
    } else {
      start_channel(now);
    }
  } else if (std::holds_alternative<ice::disconnected>(event)) {
    note("no path answers", now);
    events_.emplace_back(path_doubted{});
  } else if (channel_ && channel_->ended_by_peer()) {
    note("the peer has left; what it sent is being read", now);
  } else if (std::get<ice::failed>(event).was_connected) {
    fail({exit_status::path_lost, "path-lost",
          "the path to " + config_.remote_id + " was lost and no other works"},
         now);
  } else if (remote_) {  // until the other side has answered there is nothing to have failed
    fail({exit_status::no_path, "no-path",
          "no path to " + config_.remote_id +
              ": every candidate pair failed; a TURN server (--ice-server turn:…) gets through "
              "most networks"},
         now);
  }
}

void link::drain_connection(time_point now) {
  while (channel_) {
    auto event = channel_->poll_event();
    if (!event) return;
    handle(*event, now);
  }
}

void link::handle(datachannel::event& event, time_point now) {
  if (auto* const secured = std::get_if<datachannel::secured>(&event)) {
    secure_time_ = now - started_;
    note("secured, " + secured->cipher, now);
    events_.emplace_back(channel_secured{std::move(*secured), *secure_time_});
  } else if (std::holds_alternative<datachannel::established>(event)) {
    established_ = true;
    note("channel established", now);
    authenticate(now);
  } else if (std::holds_alternative<datachannel::closed>(event)) {
    close_deadline_.reset();
    if (proof_deadline_) return fail_proof(now);  // who hangs up on the question has no answer
    if (!std::exchange(ended_, true)) events_.emplace_back(peer_left{});
  } else if (auto* const failed = std::get_if<datachannel::failed>(&event)) {
    const bool stranger = failed->why == datachannel::failure::fingerprint_mismatch;
    fail(
        stranger
            ? failure{exit_status::wrong_peer, "fingerprint-mismatch",
                      "the other end is not who the signaling says: its certificate does not match"}
            : failure{exit_status::path_lost, "channel-failed",
                      "the encrypted channel failed to " + failed->detail},
        now);
  } else if (!ended_ && !handle_authentication(event, now)) {
    std::visit(
        [&](auto& e) {
          if constexpr (std::is_constructible_v<link_event, decltype(std::move(e))>) {
            events_.emplace_back(std::move(e));
          }
        },
        event);
  }
}

void link::fail(failure why, time_point now) {
  proof_deadline_.reset();
  if (std::exchange(ended_, true)) return;
  note("failed: " + why.code, now);
  if (channel_) channel_->shutdown(now);
  events_.emplace_back(std::move(why));
}

std::optional<datachannel::channel_id> link::open(const datachannel::channel_options& options,
                                                  time_point now) {
  if (!channel_ || !proven_) return std::nullopt;
  return channel_->open(options, now);
}

bool link::send(datachannel::channel_id id, byte_view data, bool binary, time_point now) {
  return channel_ && proven_ && channel_->send(id, data, binary, now);
}

std::size_t link::buffered(datachannel::channel_id id) const {
  return channel_ ? channel_->buffered(id) : 0;
}

void link::pause(time_point now) {
  if (channel_) channel_->pause(now);
}

void link::resume(time_point now) {
  if (!channel_) return;
  channel_->resume(now);
  drain_connection(now);
}

void link::close_channel(datachannel::channel_id id, time_point now) {
  if (channel_) channel_->close(id, now);
}

void link::shutdown(time_point now) {
  if (close_deadline_ || ended_) return;
  if (!channel_) {
    ended_ = true;
    events_.emplace_back(peer_left{});
    return;
  }
  close_deadline_ = now + config_.close_timeout;
  channel_->shutdown(now);
  drain_connection(now);
}

std::optional<transmit> link::poll_transmit(time_point now) {
  if (auto check = agent_.poll_transmit()) return check;
  const auto via = agent_.selected();
  if (!channel_ || !via) return std::nullopt;  // without a path it waits where it is
  auto batch = channel_->poll_transmit();
  if (!batch) return std::nullopt;
  agent_.note_sent(*via, now);
  const bool relayed = current_ && is_relayed(*current_);
  (relayed ? traffic_.relay_sent : traffic_.direct_sent) += batch->data.size();
  return transmit{*via, std::move(batch->data), batch->segment_size, std::nullopt};
}

std::optional<link_event> link::poll_event(time_point now) {
  drain_agent(now);
  drain_connection(now);
  if (events_.empty()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<time_point> link::next_timeout() const {
  auto next = earlier(agent_.next_timeout(), channel_ ? channel_->next_timeout() : std::nullopt);
  return earlier(next, earlier(proof_deadline_, close_deadline_));
}

}  // namespace nat::session
