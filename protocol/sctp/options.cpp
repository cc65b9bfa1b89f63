#include "protocol/sctp/options.hpp"

#include <usrsctp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/base/ensure.hpp"
#include "protocol/sctp/packet.hpp"

namespace nat::sctp {
namespace {

using namespace std::chrono_literals;

// RFC 9260, 15 says RTO.Min 1 s; that suits paths that delay acknowledgements by 200 ms and never
// say "at once". usrsctp sets the I bit (RFC 7053) on the last packet of a burst, so an
// acknowledgement takes a round trip, and a lost tail on a 20 ms path need not cost a second.
constexpr auto rto_min = 150ms;
// An outage ends when ICE has found another path: the next try must come soon after.
constexpr auto rto_max = 3s;
// RFC 9260 gives up after 10 tries (and INIT after 8). ICE decides here whether the peer is there.
constexpr std::uint16_t max_retransmissions = 200;
constexpr auto sack_delay = 20ms;
constexpr auto heartbeat_interval = 30s;

template <class T>
std::uint32_t ms(T d) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

template <class T>
void set(struct socket* s, int level, int option, const T& value) {
  ensure(usrsctp_setsockopt(s, level, option, &value, sizeof value) == 0);
}

void set_flag(struct socket* s, int option, int value) {
  set(s, IPPROTO_SCTP, option, value);
}

void set_assoc_value(struct socket* s, int option, std::uint32_t value) {
  set(s, IPPROTO_SCTP, option, sctp_assoc_value{SCTP_FUTURE_ASSOC, value});
}

void subscribe(struct socket* s) {
  for (const auto type : {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT, SCTP_SENDER_DRY_EVENT,
                          SCTP_PARTIAL_DELIVERY_EVENT}) {
    set(s, IPPROTO_SCTP, SCTP_EVENT,
        sctp_event{SCTP_FUTURE_ASSOC, static_cast<std::uint16_t>(type), 1});
  }
}

void set_timers(struct socket* s, const association_config& config) {
  sctp_rtoinfo rto{};
  rto.srto_min = ms(rto_min);
  rto.srto_max = ms(rto_max);
  rto.srto_initial = ms(std::clamp<duration>(3 * config.initial_rtt, rto_min, rto_max));
  set(s, IPPROTO_SCTP, SCTP_RTOINFO, rto);

  sctp_initmsg init{};
  init.sinit_num_ostreams = config.streams;
  init.sinit_max_instreams = config.streams;
  init.sinit_max_attempts = max_retransmissions;
  init.sinit_max_init_timeo = static_cast<std::uint16_t>(ms(rto_max));
  set(s, IPPROTO_SCTP, SCTP_INITMSG, init);

  sctp_assocparams params{};
  params.sasoc_asocmaxrxt = max_retransmissions;
  set(s, IPPROTO_SCTP, SCTP_ASSOCINFO, params);

  sctp_sack_info sack{};
  sack.sack_delay = ms(sack_delay);
  sack.sack_freq = 2;  // RFC 9260, 6.2
  set(s, IPPROTO_SCTP, SCTP_DELAYED_SACK, sack);
}

sockaddr_conn endpoint_of(void* address, std::uint16_t port) {
  sockaddr_conn out{};
  out.sconn_family = AF_CONN;
  out.sconn_port = htons(port);
  out.sconn_addr = address;
  return out;
}

}  // namespace

struct socket* open_socket(const association_config& config, void* address) {
  auto* s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
  ensure(s != nullptr && usrsctp_set_non_blocking(s, 1) == 0);
  // Closing means ABORT: what had to be sent has been, or never will be.
  set(s, SOL_SOCKET, SO_LINGER, linger{1, 0});
  set(s, SOL_SOCKET, SO_SNDBUF, static_cast<int>(config.send_buffer));
  set(s, SOL_SOCKET, SO_RCVBUF, static_cast<int>(config.receive_buffer));
  set_flag(s, SCTP_NODELAY, 1);
  set_flag(s, SCTP_EXPLICIT_EOR, 1);
  set_flag(s, SCTP_RECVRCVINFO, 1);
  set_flag(s, SCTP_FRAGMENT_INTERLEAVE, 0);
  set_assoc_value(s, SCTP_ENABLE_STREAM_RESET,
                  SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ);
  subscribe(s);
  set_timers(s, config);
  auto local = endpoint_of(address, config.local_port);
  ensure(usrsctp_bind(s, reinterpret_cast<sockaddr*>(&local), sizeof local) == 0);
  return s;
}

void start_connect(struct socket* s, const association_config& config, void* address) {
  auto remote = endpoint_of(address, config.remote_port);
  const int result = usrsctp_connect(s, reinterpret_cast<sockaddr*>(&remote), sizeof remote);
  ensure(result == 0 || errno == EINPROGRESS);
  fix_path_mtu(s, config);
}

void fix_path_mtu(struct socket* s, const association_config& config) {
  sctp_paddrparams params{};
  params.spp_address.ss_family = AF_CONN;
  params.spp_assoc_id = SCTP_CURRENT_ASSOC;
  params.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_ENABLE;
  params.spp_hbinterval = ms(heartbeat_interval);
  params.spp_pathmaxrxt = max_retransmissions;
  // usrsctp counts a path's MTU without the common header over AF_CONN.
  params.spp_pathmtu = static_cast<std::uint32_t>(config.mtu - common_header_size);
  set(s, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, params);
}

}  // namespace nat::sctp
