#include "protocol/sctp/stack.hpp"

#include <usrsctp.h>

namespace nat::sctp {
namespace {

int output(void* address, void* data, std::size_t size, std::uint8_t, std::uint8_t) {
  if (auto* owner = stack::instance().find(address)) {
    owner->output({static_cast<const std::byte*>(data), size});
  }
  return 0;
}

void configure() {
  // Checksums are made and checked here, by the processor's instruction (crc32c.hpp).
  usrsctp_enable_crc32c_offload();
  // There is one path and ICE chooses it: no multihoming (RFC 8831, 5), and no middle box sees
  // SCTP's header, so nothing marks ECN in it.
  usrsctp_sysctl_set_sctp_asconf_enable(0);
  usrsctp_sysctl_set_sctp_auto_asconf(0);
  usrsctp_sysctl_set_sctp_auth_enable(0);
  usrsctp_sysctl_set_sctp_ecn_enable(0);
  usrsctp_sysctl_set_sctp_nrsack_enable(0);
  usrsctp_sysctl_set_sctp_pktdrop_enable(0);
  usrsctp_sysctl_set_sctp_pr_enable(1);
  usrsctp_sysctl_set_sctp_reconfig_enable(1);
  // Says nothing to packets that belong to no association.
  usrsctp_sysctl_set_sctp_blackhole(2);
  // RFC 6928's window; and a burst is one batch of the path's (64 segments), not four packets.
  usrsctp_sysctl_set_sctp_initial_cwnd(10);
  usrsctp_sysctl_set_sctp_max_burst_default(64);
  usrsctp_sysctl_set_sctp_fr_max_burst_default(64);
  // A chunk may be sent again as often as it takes: with fast retransmission over a short round
  // trip, 30 times (the default, after which the association is aborted) are over in a second in
  // front of a slow reader whose socket overflows. Whether the path lives is ICE's business.
  usrsctp_sysctl_set_sctp_max_retran_chunk(0);
  // Counts messages and fragments; the byte limits of the send buffer come first.
  usrsctp_sysctl_set_sctp_max_chunks_on_queue(64 * 1024);
}

}  // namespace

stack& stack::instance() {
  static stack only;
  return only;
}

stack::stack() {
  usrsctp_init_nothreads(0, output, nullptr);
  configure();
}

void* stack::enter(port& owner, time_point now) {
  advance(now);
  // A number that is never followed: a stale one must find nobody, not somebody else.
  auto* address = reinterpret_cast<void*>(next_address_++);  // NOLINT(performance-no-int-to-ptr)
  ports_.emplace(address, &owner);
  usrsctp_register_address(address);
  return address;
}

void stack::leave(void* address) {
  usrsctp_deregister_address(address);
  ports_.erase(address);
}

port* stack::find(void* address) const {
  const auto found = ports_.find(address);
  return found == ports_.end() ? nullptr : found->second;
}

void stack::advance(time_point now) {
  if (!ports_.empty() && now > last_) elapsed_ += now - last_;
  last_ = now;
  const auto due =
      std::chrono::duration_cast<std::chrono::milliseconds>(elapsed_ - ticked_).count();
  if (due <= 0) return;
  ticked_ += std::chrono::milliseconds{due};
  const injected_time::scope scope(time());
  usrsctp_handle_timers(static_cast<std::uint32_t>(due));
}

}  // namespace nat::sctp
