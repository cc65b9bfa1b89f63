#pragma once

// UPnP for one socket at one gateway: finds the description (SSDP), learns the external address
// and, once wanted, maps the port (IPv4: WANIPConnection or WANPPPConnection) or opens a pinhole
// (IPv6: WANIPv6FirewallControl). What needs TCP is handed out one exchange at a time: whoever
// drives it connects from the socket's address to the place named, sends, and hands back what came.

#include <string>

#include "ice/portmap/igd.hpp"
#include "ice/portmap/lease.hpp"

namespace nat::portmap {

class upnp_client {
 public:
  upnp_client(const endpoint& base, const address& gateway, const lease_rules&, random_source&,
              time_point now);

  // An answer to the search: from the gateway's address, or from our own /64 on IPv6, where routers
  // answer from another address than the route names. Which port it leaves from is not specified.
  bool handle_datagram(const endpoint& from, byte_view datagram, time_point now);
  void map(time_point now);  // REQUIRES: ready()
  void release(time_point now);

  struct exchange {
    endpoint to;
    std::string request;
  };
  [[nodiscard]] std::optional<exchange> poll_exchange();
  // What the last exchange brought; none: no connection, or nothing in time.
  void handle_response(std::optional<std::string_view> received, time_point now);

  // True: a search is to be sent.
  [[nodiscard]] bool handle_timeout(time_point now);
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] lease& life() { return lease_; }
  [[nodiscard]] const lease& life() const { return lease_; }
  [[nodiscard]] bool ready() const { return ready_; }  // it can be asked to map
  [[nodiscard]] bool spoken() const { return described_; }
  [[nodiscard]] int version() const { return service_ ? service_->version() : 0; }
  [[nodiscard]] const std::optional<address>& external_address() const { return external_; }
  [[nodiscard]] bool settled() const;

 private:
  enum class step : std::uint8_t { none, describe, ask_address, add, update, remove };

  void begin(step, time_point now);
  void begin_next(time_point now);
  void call(std::string_view action, const std::vector<igd::argument>&);
  void call_add();
  void take_description(const http::response&, time_point now);
  void take_address(const igd::reply&, time_point now);
  void take_added(step, const igd::reply&, time_point now);
  void take_refusal(int code, time_point now);
  [[nodiscard]] std::optional<std::uint16_t> number_added(step, const igd::reply&) const;
  void refuse(std::string reason, time_point now);
  [[nodiscard]] bool takes_any_port() const;

  endpoint base_;
  address gateway_;
  random_source* random_;
  std::optional<lease> search_;
  lease lease_;
  std::optional<http::url> location_;
  std::optional<igd::service> service_;
  std::optional<address> external_;
  step step_ = step::none;
  std::optional<exchange> pending_;
  bool described_ = false, ready_ = false, work_due_ = false, any_port_ = true;
  bool permanent_ = false;  // the gateway knows no leases
  unsigned conflicts_ = 0;
  std::uint16_t wanted_port_;
  std::optional<std::uint16_t> added_;  // external port, or the pinhole's id
};

}  // namespace nat::portmap
