#include "signaling/hub/exchange.hpp"

#include <algorithm>
#include <utility>

#include "protocol/base/ensure.hpp"

namespace nat::hub {

namespace {

constexpr double max_connect_ms = 60'000;
constexpr double vain_check_cost = 25;  // messages

void append_member(std::string& out, std::string_view key, std::string_view raw) {
  if (raw.empty()) return;
  out += ",\"";
  out += key;
  out += "\":";
  out += raw;
}

// What the target gets: the sender's name in place of the target's, the rest as it came.
void write_forwarded(std::string& out, const request& from, std::string_view sender) {
  out.assign("{\"type\":\"");
  out += to_string(from.type);
  out += "\",\"from\":\"";
  out += sender;  // a name needs no escapes
  out += '"';
  append_member(out, "session", from.session);
  append_member(out, "sdp", from.sdp);
  append_member(out, "candidate", from.candidate);
  append_member(out, "reason", from.reason);
  out += '}';
}

}  // namespace

exchange::exchange(std::uint32_t loop, const limits& l, const announcement& a, directory& d,
                   penalty_book& p)
    : loop_(loop), limits_(l), announcement_(a), directory_(d), penalties_(p) {}

std::uint32_t exchange::connect(const arrival& from, time_point now) {
  rewind_outputs();
  (void)fenced_off(now);  // who comes after a new term has begun belongs to it
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(clients_.size());
    clients_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  auto& c = clients_[slot];
  c = client{
      .serial = c.serial + 1, .connected = true, .remote = from.remote, .reached = from.reached};
  c.registered_by = from.accepted_at + limits_.register_timeout;
  c.heard_at = now;
  c.bucket = token_bucket(limits_.messages_per_second, limits_.burst(), now);
  ++stats_.opened;
  ++stats_.connections;
  schedule(slot);
  if (departure_) close(slot, closing::draining, now);
  return slot;
}

// False: too much, or too late to be listened to.
bool exchange::heard(std::uint32_t slot, time_point now, double cost) {
  rewind_outputs();
  auto& c = clients_[slot];
  ensure(c.connected);
  if (c.closing || fenced_off(now)) return false;
  c.heard_at = now;
  if (limits_.messages_per_second <= 0) return true;
  const auto left = c.bucket.take(now, cost);
  if (left >= 0) return true;
  if (left < -limits_.burst()) {
    close(slot, closing::flooding, now);
  } else {
    refuse(slot, error_code::rate_limited, "Too many messages: this one was dropped.");
  }
  return false;
}

void exchange::handle_control(std::uint32_t slot, time_point now) {
  (void)heard(slot, now);
}

void exchange::handle_binary(std::uint32_t slot, std::size_t size, time_point now) {
  if (heard(slot, now, limits_.cost(size))) {
    refuse(slot, error_code::bad_message, "Messages are text, this one was binary.");
  }
}

void exchange::handle_too_large(std::uint32_t slot, time_point now) {
  rewind_outputs();
  close(slot, closing::too_large, now);
}

void exchange::handle_text(std::uint32_t slot, std::string_view text, time_point now) {
  if (!heard(slot, now, limits_.cost(text.size()))) return;
  stats_.bytes_in += text.size();
  const auto parsed = parser_.parse(text);
  if (!parsed) {
    const auto& why = parsed.error();
    refuse(slot, why.code, "The message can't be used: " + why.message + '.', why.request,
           why.target.value_or(""));
    return;
  }
  if (parsed->type == request_type::register_) return registers(slot, *parsed, now);
  if (clients_[slot].name.empty()) {
    return refuse(slot, error_code::not_registered, "Register first.", parsed->type, parsed->peer);
  }
  if (parsed->type == request_type::outcome) return count_outcome(*parsed);
  forward(slot, *parsed, now);
}

void exchange::registers(std::uint32_t slot, const request& asked, time_point now) {
  auto& c = clients_[slot];
  const auto no = [&](error_code code, std::string message) {
    refuse(slot, code, std::move(message), request_type::register_);
  };
  if (!c.name.empty() || c.claim != 0) {
    return no(error_code::already_registered,
              c.claim != 0 ? "A registration is under way."
                           : "This connection is registered as " + c.name + '.');
  }
  if (!authorized(slot, asked, now)) return;
  if (fence_ != nullptr) return claims(slot, asked);
  std::optional<std::string> resume;
  if (asked.resume) resume.emplace(*asked.resume);
  const auto granted = directory_.claim(asked.peer, resume, owner{loop_, slot, 0}, now);
  if (!granted) return refuse_taken(slot, asked.peer, now);
  grant(slot, asked.peer, granted->generation, granted->resume, resume == granted->resume);
  if (granted->superseded) supersede(*granted->superseded, now);
}

void exchange::grant(std::uint32_t slot, std::string_view name, std::uint64_t generation,
                     const std::string& resume, bool resumed) {
  auto& c = clients_[slot];
  c.name = name;
  c.generation = generation;
  ++stats_.registered;
  stats_.count(request_type::register_, fate::granted);
  if (resumed) ++stats_.resumed;
  if (journal_ != nullptr) journal_->registered(c.remote, c.name, resumed);
  const signal::registered_message answer{
      c.name, resume, servers_for(announcement_, c.name, c.reached, unix_now_),
      static_cast<std::uint32_t>(announcement_.credential_lifetime.count())};
  send(slot, signal::to_json(signal::server_message(answer)));
}

bool exchange::authorized(std::uint32_t slot, const request& asked, time_point now) {
  if (!access_) return true;
  const auto& from = clients_[slot].remote;
  const auto no = [&](error_code code, std::string_view reason, std::string message) {
    refuse_name(slot, asked.peer, code, reason, std::move(message));
    return false;
  };
  if (!penalties_.may_try(from, now)) {
    return no(error_code::rate_limited, "too-many-failures",
              "Too many failed registrations from this address.");
  }
  const auto verdict = access_->check(asked.peer, asked.token, unix_now_);
  if (verdict == access::verdict::granted) return true;
  if (verdict == access::verdict::no_token) {
    return no(error_code::unauthorized, "no-token", "This server asks for a token.");
  }
  // A genuine token that is out of date, or for another name, is no guess: others of its address,
  // which may be a whole company's, are not to suffer for it.
  if (verdict == access::verdict::wrong_token) {
    penalties_.failed(from, now);
  } else {
    charge_for_check(slot, now);
  }
  ++stats_.unauthorized;
  switch (verdict) {
    case access::verdict::wrong_name:
      return no(error_code::unauthorized, "wrong-name", "The token is not for this name.");
    case access::verdict::untimely:
      return no(error_code::unauthorized, "untimely", "The token has expired or is not valid yet.");
    default:
      return no(error_code::unauthorized, "wrong-token", "The token is not known here.");
  }
}

// A genuine token that gets its client nothing costs a look at a signature, and so as much of the
// client's rate.
void exchange::charge_for_check(std::uint32_t slot, time_point now) {
  if (access_ && limits_.messages_per_second > 0) {
    clients_[slot].bucket.take(now, std::min(vain_check_cost, limits_.burst()));
  }
}

void exchange::refuse_taken(std::uint32_t slot, std::string_view name, time_point now) {
  charge_for_check(slot, now);
  refuse_name(slot, name, error_code::id_taken, "", "The name " + std::string(name) + " is taken.");
}

void exchange::refuse_name(std::uint32_t slot, std::string_view name, error_code code,
                           std::string_view reason, std::string message) {
  if (journal_ != nullptr) journal_->refused(clients_[slot].remote, name, code, reason);
  refuse(slot, code, std::move(message), request_type::register_);
}

void exchange::supersede(const owner& old, time_point now) {
  if (old.loop != loop_) {
    envelopes_.push_back({.what = envelope::type::superseded, .to = old, .from = {}});
    return;
  }
  if (old.slot >= clients_.size()) return;
  const auto& c = clients_[old.slot];
  if (c.connected && !c.closing && c.generation == old.generation) {
    close(old.slot, closing::superseded, now);
  }
}

void exchange::count_outcome(const request& told) {
  stats_.count(request_type::outcome, fate::counted);
  ++stats_.outcomes[static_cast<std::size_t>(told.path)];
  // One liar is not to make the sum of all useless.
  stats_.connect_ms += std::min(told.connect_ms, max_connect_ms);
}

void exchange::forward(std::uint32_t slot, const request& asked, time_point now) {
  const auto& c = clients_[slot];
  const auto route = directory_.find(asked.peer, c.name, c.generation);
  if (!route.sender_owns) {
    stats_.count(asked.type, fate::refused);
    return close(slot, closing::superseded, now);
  }
  if (!route.target && fence_ == nullptr) {
    return refuse_delivery(slot, delivery::not_found, asked.type, asked.peer);
  }
  const auto to = route.target.value_or(owner{.loop = cluster_place});
  write_forwarded(scratch_, asked, c.name);
  if (to.loop != loop_) {
    envelopes_.push_back({.what = envelope::type::deliver,
                          .to = to,
                          .from = {loop_, slot, c.generation},
                          .request = asked.type,
                          .target = std::string(asked.peer),
                          .text = scratch_,
                          .origin = {},
                          .sender = to.loop == cluster_place ? c.name : std::string()});
    return;
  }
  const auto result = deliver(to, asked.type, scratch_, now);
  if (result != delivery::done) refuse_delivery(slot, result, asked.type, asked.peer);
}

exchange::delivery exchange::deliver(const owner& to, request_type type, std::string_view text,
                                     time_point now) {
  if (to.slot >= clients_.size()) return delivery::not_found;
  auto& c = clients_[to.slot];
  if (!c.connected || c.closing || c.generation != to.generation) return delivery::not_found;
  if (limits_.send_queue_bytes != 0 && c.waiting + text.size() > limits_.deliverable_bytes()) {
    note_full(to.slot, now);
    return delivery::busy;
  }
  send(to.slot, text);
  ++stats_.delivered;
  stats_.count(type, fate::forwarded);
  return delivery::done;
}

void exchange::handle_envelope(const envelope& e, time_point now) {
  rewind_outputs();
  (void)fenced_off(now);
  switch (e.what) {
    case envelope::type::superseded:
      return supersede(e.to, now);
    case envelope::type::deliver:
      return hand_back(e, deliver(e.to, e.request, e.text, now));
    case envelope::type::claimed:
    case envelope::type::taken:
      return handle_claim_answer(e, now);
    default:
      break;
  }
  if (e.to.slot >= clients_.size()) return;
  const auto& sender = clients_[e.to.slot];
  if (e.what == envelope::type::unavailable && e.request == request_type::register_) {
    return handle_claim_answer(e, now);
  }
  if (!sender.connected || sender.closing || sender.generation != e.to.generation) return;
  refuse_delivery(e.to.slot,
                  e.what == envelope::type::busy          ? delivery::busy
                  : e.what == envelope::type::unavailable ? delivery::unavailable
                                                          : delivery::not_found,
                  e.request, e.target);
}

// What became of an envelope, told to where it came from; success only to those who wait for it.
void exchange::hand_back(const envelope& e, delivery result) {
  auto what = result == delivery::busy ? envelope::type::busy : envelope::type::not_found;
  if (result == delivery::done) {
    if (e.origin.empty() || !is_acknowledged(e.request)) return;
    what = envelope::type::accepted;
  }
  envelopes_.push_back({.what = what,
                        .to = e.from,
                        .from = e.to,
                        .request = e.request,
                        .target = e.target,
                        .origin = e.origin});
}

void exchange::refuse_delivery(std::uint32_t slot, delivery why, request_type type,
                               std::string_view target) {
  const auto name = std::string(target);
  if (why == delivery::busy) {
    refuse(slot, error_code::peer_busy, "The queue of " + name + " is full.", type, target);
  } else if (why == delivery::unavailable) {
    refuse(slot, error_code::cluster_unavailable,
           name + " is not on this server, and the others can't be reached.", type, target);
  } else {
    refuse(slot, error_code::peer_not_found, name + " is not here.", type, target);
  }
}

}  // namespace nat::hub
