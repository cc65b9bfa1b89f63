#include "ice/portmap/upnp_client.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "ice/portmap/external_address.hpp"
#include "ice/portmap/pcp.hpp"
#include "ice/portmap/ssdp.hpp"

namespace nat::portmap {
namespace {

constexpr unsigned max_conflicts = 4;
constexpr auto exchange_limit = std::chrono::seconds{10};  // no driver takes longer
constexpr auto retry_seconds = 300U;

lease_rules search_rules(lease_rules rules) {
  rules.max_sends = 4;
  return rules;
}

lease_rules action_rules(lease_rules rules) {
  rules.initial_rto = exchange_limit;
  rules.max_sends = 2;
  rules.quiet_sends = 1U << 16;  // an exchange always ends in words
  return rules;
}

std::optional<std::uint16_t> read_u16(const std::string& text) {
  std::uint16_t value = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

bool may_answer(const address& from, const address& gateway, const address& base) {
  if (from == gateway) return true;
  return !from.v4 && !base.v4 &&
         std::equal(from.octets.begin(), from.octets.begin() + 8, base.octets.begin());
}

}  // namespace

upnp_client::upnp_client(const endpoint& base, const address& gateway, const lease_rules& rules,
                         random_source& random, time_point now)
    : base_(base),
      gateway_(gateway),
      random_(&random),
      search_(lease(search_rules(rules), random)),
      lease_(action_rules(rules), random),
      wanted_port_(base.port) {
  search_->ask(now);
}

bool upnp_client::handle_datagram(const endpoint& from, byte_view datagram, time_point now) {
  if (!search_ || !may_answer(from.ip, gateway_, base_.ip)) return false;
  auto found = ssdp::read(datagram, from.ip);
  if (!found) return false;
  location_ = std::move(*found);
  search_.reset();
  begin(step::describe, now);
  return true;
}

void upnp_client::map(time_point now) {
  if (ready_ && lease_.state() == lease::standing::idle) lease_.ask(now);
}

void upnp_client::release(time_point now) {
  search_.reset();
  // Kept with the lease itself: an addition that is under way is removed when it is through.
  lease_.release(now);
}

std::optional<upnp_client::exchange> upnp_client::poll_exchange() {
  return std::exchange(pending_, std::nullopt);
}

bool upnp_client::settled() const {
  if (search_) return search_->settled();
  return step_ == step::none && lease_.settled();
}

bool upnp_client::handle_timeout(time_point now) {
  const bool search = search_ && search_->handle_timeout(now);
  if (lease_.handle_timeout(now)) work_due_ = true;
  begin_next(now);
  return search;
}

std::optional<time_point> upnp_client::next_timeout() const {
  return earlier(search_ ? search_->next_timeout() : std::nullopt, lease_.next_timeout());
}

void upnp_client::begin_next(time_point now) {
  if (step_ != step::none || !std::exchange(work_due_, false)) return;
  if (lease_.releasing()) return added_ ? begin(step::remove, now) : lease_.release_confirmed();
  // On the way to a renewal the address is asked for again: it may have changed meanwhile.
  if (!added_) return begin(step::add, now);
  begin(base_.ip.v4 ? step::ask_address : step::update, now);
}

bool upnp_client::takes_any_port() const {
  return any_port_ && service_->version() >= 2 && service_->type.find("WANIP") != std::string::npos;
}

void upnp_client::begin(step what, time_point) {
  step_ = what;
  switch (what) {
    case step::none:
      return;
    case step::describe:
      pending_ = exchange{location_->where, http::get(*location_)};
      return;
    case step::ask_address:
      return call("GetExternalIPAddress", {});
    case step::add:
      return call_add();
    case step::update:
      return call("UpdatePinhole", {{"UniqueID", std::to_string(*added_)},
                                    {"NewLeaseTime", std::to_string(lease_.wanted().count())}});
    case step::remove:
      if (!base_.ip.v4) return call("DeletePinhole", {{"UniqueID", std::to_string(*added_)}});
      return call("DeletePortMapping", {{"NewRemoteHost", ""},
                                        {"NewExternalPort", std::to_string(*added_)},
                                        {"NewProtocol", "UDP"}});
  }
}

void upnp_client::call(std::string_view action, const std::vector<igd::argument>& arguments) {
  pending_ = exchange{service_->control.where, igd::call(*service_, action, arguments)};
}

void upnp_client::call_add() {
  const auto lease_time = std::to_string(permanent_ ? 0 : lease_.wanted().count());
  if (!base_.ip.v4) {
    return call("AddPinhole", {{"RemoteHost", ""},
                               {"RemotePort", "0"},
                               {"InternalClient", to_string(base_.ip)},
                               {"InternalPort", std::to_string(base_.port)},
                               {"Protocol", std::to_string(udp_protocol)},
                               {"LeaseTime", lease_time}});
  }
  call(takes_any_port() ? "AddAnyPortMapping" : "AddPortMapping",
       {{"NewRemoteHost", ""},
        {"NewExternalPort", std::to_string(wanted_port_)},
        {"NewProtocol", "UDP"},
        {"NewInternalPort", std::to_string(base_.port)},
        {"NewInternalClient", to_string(base_.ip)},
        {"NewEnabled", "1"},
        {"NewPortMappingDescription", "peer-cli"},
        {"NewLeaseDuration", lease_time}});
}

void upnp_client::refuse(std::string reason, time_point now) {
  if (added_ && !base_.ip.v4) added_.reset();
  lease_.refuse(std::move(reason), retry_seconds, now);
}

void upnp_client::handle_response(std::optional<std::string_view> received, time_point now) {
  const auto what = std::exchange(step_, step::none);
  const auto response = received ? http::parse_response(*received) : std::nullopt;
  if (what == step::none) return;
  if (what == step::describe) {
    if (response && response->status == 200) return take_description(*response, now);
    return lease_.give_up("its description can't be read");
  }
  if (what == step::remove) {
    added_.reset();
    return lease_.release_confirmed();
  }
  if (!response) {
    refuse("no answer", now);
  } else if (const igd::reply said(*response); what == step::ask_address) {
    take_address(said, now);
  } else {
    take_added(what, said, now);
  }
  begin_next(now);
}

void upnp_client::take_description(const http::response& response, time_point now) {
  auto described = igd::read_description(response.body, *location_);
  service_ = std::move(base_.ip.v4 ? described.connection : described.firewall);
  if (!service_) {
    return lease_.give_up(base_.ip.v4 ? "it describes no way to map ports"
                                      : "it describes no way to open IPv6 pinholes");
  }
  described_ = true;
  lease_.heard();
  if (lease_.releasing()) return;
  ready_ = !base_.ip.v4;
  if (base_.ip.v4) begin(step::ask_address, now);
}

void upnp_client::take_address(const igd::reply& said, time_point now) {
  const auto external = parse_address(said.value("NewExternalIPAddress"));
  if (said.error() != 0 || !external || !is_plausible(*external, base_)) {
    external_.reset();
    if (!ready_) return lease_.give_up("it tells no external address");
    return refuse("it tells no external address", now);
  }
  external_ = *external;
  ready_ = true;
  if (added_ && !lease_.releasing()) begin(step::add, now);
}

// The external port, or the pinhole's id.
std::optional<std::uint16_t> upnp_client::number_added(step what, const igd::reply& said) const {
  if (what == step::update) return added_;
  if (!base_.ip.v4) return read_u16(said.value("UniqueID"));
  const auto told = said.value("NewReservedPort");
  const auto port = told.empty() ? std::optional(wanted_port_) : read_u16(told);
  return port == 0 ? std::nullopt : port;
}

void upnp_client::take_added(step what, const igd::reply& said, time_point now) {
  if (said.error() != 0) return take_refusal(said.error(), now);
  const auto number = number_added(what, said);
  if (!number) return refuse("it granted no port", now);
  added_ = *number;
  if (base_.ip.v4) wanted_port_ = *number;
  lease_.grant(base_.ip.v4 ? endpoint{*external_, *number} : base_,
               static_cast<std::uint32_t>(lease_.wanted().count()), now);
}

// What another way of asking may get round is asked again, each way once.
void upnp_client::take_refusal(int code, time_point now) {
  if (code == igd::only_permanent_leases && !std::exchange(permanent_, true)) {
    work_due_ = true;
  } else if (code == igd::invalid_action && base_.ip.v4 && takes_any_port()) {
    any_port_ = false;
    work_due_ = true;
  } else if (code == igd::no_such_entry && !base_.ip.v4 && added_) {
    added_.reset();  // the gateway has forgotten the pinhole
    work_due_ = true;
  } else if (code == igd::conflict_in_mapping && conflicts_++ < max_conflicts) {
    added_.reset();
    wanted_port_ = static_cast<std::uint16_t>(1024 + random_below(*random_, 65536 - 1024));
    work_due_ = true;
  } else if (code == igd::action_not_authorized) {
    refuse("this host may not map ports", now);
  } else {
    refuse(code > 0 ? "UPnP error " + std::to_string(code) : "for no reason that it tells", now);
  }
}

}  // namespace nat::portmap
