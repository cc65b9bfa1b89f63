#include "protocol/sctp/association.hpp"

#include <usrsctp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/sctp/crc32c.hpp"
#include "protocol/sctp/options.hpp"
#include "protocol/sctp/outstanding.hpp"
#include "protocol/sctp/packet.hpp"
#include "protocol/sctp/packet_queue.hpp"
#include "protocol/sctp/stack.hpp"

namespace nat::sctp {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t user_initiated_abort = 12;  // RFC 9260, 3.3.10.12
constexpr std::size_t read_size = 64U << 10;

// One for all associations: they share a thread, and what it holds is consumed at once.
std::array<std::byte, read_size>& scratch() {
  static std::array<std::byte, read_size> only;
  return only;
}

// Why the association ended, from the ABORT chunk that came or went with it.
down::reason reason_of(const sctp_assoc_change& change) {
  const std::size_t offset = offsetof(sctp_assoc_change, sac_info);
  if (change.sac_length < offset + 4) {
    return change.sac_error == 0 ? down::reason::timeout : down::reason::protocol;
  }
  const byte_view chunk(reinterpret_cast<const std::byte*>(change.sac_info),
                        change.sac_length - offset);
  if (static_cast<chunk_type>(chunk[0]) != chunk_type::abort) return down::reason::timeout;
  const bool plain = chunk.size() < 8 || load_be<std::uint16_t>(chunk, 4) == user_initiated_abort;
  return plain ? down::reason::aborted_by_peer : down::reason::protocol;
}

std::optional<event> of_change(const sctp_assoc_change& change) {
  switch (change.sac_state) {
    case SCTP_COMM_UP:
      return up{change.sac_outbound_streams, change.sac_inbound_streams};
    case SCTP_SHUTDOWN_COMP:
      return down{down::reason::orderly};
    case SCTP_CANT_STR_ASSOC:
    case SCTP_COMM_LOST:
      return down{reason_of(change)};
    case SCTP_RESTART:  // RFC 8831 knows no restart: the DTLS connection would have ended with it
      return down{down::reason::protocol};
    default:
      return std::nullopt;
  }
}

}  // namespace

struct association::body final : port {
  body(association_config c, time_point now)
      : config(c), address(stack::instance().enter(*this, now)) {
    const stack_call call(now);
    sock = open_socket(config, address);
    usrsctp_set_upcall(
        sock,
        [](struct socket*, void* where, int) {
          if (auto* owner = stack::instance().find(where)) owner->wake();
        },
        address);
  }
  ~body() {
    stack::instance().leave(address);  // so that the ABORT of closing goes nowhere
    if (sock) usrsctp_close(sock);
  }

  void output(byte_view packet) override;
  void wake() override { readable = true; }

  void driven(time_point now, bool activity);
  void try_resets();
  [[nodiscard]] bool is_dry() const;
  std::optional<event> of_notification(const sctp_notification&);
  std::optional<event> of_reset(const sctp_stream_reset_event&);

  association_config config;
  void* address;
  struct socket* sock = nullptr;
  bool started = false, ended = false, established = false, readable = false;
  bool reset_in_progress = false;
  std::vector<std::uint16_t> wanted_resets;
  outstanding_bytes in_flight;
  packet_queue outgoing{max_queued_output};
  time_point last_driven, last_activity;
  bool active = false;  // something came or went since last_activity was noted
  sctp::counters counts;
};

void association::body::output(byte_view packet) {
  if (packet.size() < common_header_size) return;
  active = true;
  in_flight.packet_out(packet);
  // The latest of several SACKs says all that the earlier did.
  const bool lone_sack = is_lone_sack(packet);
  if (lone_sack && !outgoing.empty() && is_lone_sack(outgoing.back())) {
    outgoing.drop_back();
    ++counts.sacks_merged;
  }
  const auto copy = outgoing.push(packet);
  if (copy.empty()) {
    ++counts.output_overflows;
    return;
  }
  write_checksum(copy);
}

void association::body::driven(time_point now, bool activity) {
  last_driven = now;
  if (activity || std::exchange(active, false)) last_activity = now;
}

// usrsctp takes one reset request at a time (RFC 6525, 5.1.1: one outstanding request).
void association::body::try_resets() {
  if (!established || ended || reset_in_progress || wanted_resets.empty()) return;
  std::array<std::byte, sizeof(sctp_reset_streams) + sizeof(std::uint16_t)> storage{};
  auto* request = reinterpret_cast<sctp_reset_streams*>(storage.data());
  request->srs_flags = SCTP_STREAM_RESET_OUTGOING;
  request->srs_number_streams = 1;
  request->srs_stream_list[0] = wanted_resets.front();
  if (usrsctp_setsockopt(sock, IPPROTO_SCTP, SCTP_RESET_STREAMS, request, storage.size()) == 0) {
    reset_in_progress = true;
    wanted_resets.erase(wanted_resets.begin());
  }
}

// The notification has waited its turn to be read; more may have been sent since it was made.
bool association::body::is_dry() const {
  sctp_status status{};
  socklen_t size = sizeof status;
  return usrsctp_getsockopt(sock, IPPROTO_SCTP, SCTP_STATUS, &status, &size) == 0 &&
         status.sstat_unackdata == 0 && status.sstat_penddata == 0;
}

std::optional<event> association::body::of_reset(const sctp_stream_reset_event& e) {
  const std::size_t offset = offsetof(sctp_stream_reset_event, strreset_stream_list);
  const bool incoming = (e.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN) != 0;
  if (!incoming) reset_in_progress = false;
  if ((e.strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) != 0) {
    return std::nullopt;
  }
  const std::size_t count = (e.strreset_length - offset) / sizeof(std::uint16_t);
  streams_reset out{{}, incoming};
  out.streams.assign(e.strreset_stream_list, e.strreset_stream_list + count);
  return out;
}

std::optional<event> association::body::of_notification(const sctp_notification& n) {
  switch (n.sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE: {
      auto out = of_change(n.sn_assoc_change);
      if (out && std::holds_alternative<up>(*out)) established = true;
      if (out && std::holds_alternative<down>(*out)) ended = true;
      return out;
    }
    case SCTP_STREAM_RESET_EVENT:
      return of_reset(n.sn_strreset_event);
    case SCTP_PARTIAL_DELIVERY_EVENT:
      return receive_aborted{};
    case SCTP_SENDER_DRY_EVENT:
      if (is_dry()) in_flight.dry();
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

association::association(association_config config, time_point now)
    : body_(std::make_unique<body>(config, now)) {}
association::~association() = default;
association::association(association&&) noexcept = default;
association& association::operator=(association&&) noexcept = default;

void association::connect(time_point now) {
  auto& b = *body_;
  if (std::exchange(b.started, true)) return;
  const stack_call call(now);
  start_connect(b.sock, b.config, b.address);
  b.driven(now, true);
}

void association::handle_packet(byte_view packet, time_point now) {
  auto& b = *body_;
  if (packet.size() < common_header_size + 4 || b.ended) {
    ++b.counts.malformed;
    return;
  }
  if (!verify_checksum(packet)) {
    ++b.counts.bad_checksums;
    return;
  }
  b.in_flight.packet_in(packet);
  const stack_call call(now);
  usrsctp_conninput(b.address, packet.data(), packet.size(), 0);
  b.try_resets();
  b.driven(now, true);
}

void association::handle_timeout(time_point now) {
  auto& b = *body_;
  if (b.ended) return;
  const stack_call call(now);
  b.try_resets();
  b.driven(now, false);
}

std::size_t association::send(const delivery& how, byte_view data, bool last, time_point now) {
  auto& b = *body_;
  if (b.ended || !b.started || data.empty()) return 0;
  sctp_sendv_spa info{};
  info.sendv_flags = SCTP_SEND_SNDINFO_VALID;
  info.sendv_sndinfo.snd_sid = how.stream;
  info.sendv_sndinfo.snd_ppid = htonl(how.protocol_id);
  info.sendv_sndinfo.snd_flags =
      static_cast<std::uint16_t>((last ? SCTP_EOR : 0) | (how.unordered ? SCTP_UNORDERED : 0));
  if (how.max_retransmits || how.max_lifetime_ms) {
    info.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    info.sendv_prinfo.pr_policy = how.max_retransmits ? SCTP_PR_SCTP_RTX : SCTP_PR_SCTP_TTL;
    info.sendv_prinfo.pr_value = how.max_retransmits ? *how.max_retransmits : *how.max_lifetime_ms;
  }
  const stack_call call(now);
  const auto count = usrsctp_sendv(b.sock, data.data(), data.size(), nullptr, 0, &info, sizeof info,
                                   SCTP_SENDV_SPA, 0);
  b.driven(now, false);
  if (count <= 0) return 0;
  b.in_flight.taken(how.stream, static_cast<std::size_t>(count));
  return static_cast<std::size_t>(count);
}

std::size_t association::outstanding(std::uint16_t stream) const {
  return body_->in_flight.of(stream);
}
std::size_t association::outstanding() const {
  return body_->in_flight.total();
}

void association::reset_stream(std::uint16_t stream, time_point now) {
  auto& b = *body_;
  if (std::ranges::find(b.wanted_resets, stream) != b.wanted_resets.end()) return;
  b.wanted_resets.push_back(stream);
  const stack_call call(now);
  b.try_resets();
  b.driven(now, true);
}

void association::shutdown(time_point now) {
  auto& b = *body_;
  if (b.ended || !b.started) return;
  const stack_call call(now);
  usrsctp_shutdown(b.sock, SHUT_WR);
  b.driven(now, true);
}

void association::abort(time_point now) {
  auto& b = *body_;
  if (std::exchange(b.ended, true)) return;
  const stack_call call(now);
  usrsctp_set_upcall(b.sock, nullptr, nullptr);
  usrsctp_close(std::exchange(b.sock, nullptr));
  b.driven(now, true);
}

std::optional<event> association::read(time_point now) {
  auto& b = *body_;
  if (!b.readable || !b.sock) return std::nullopt;
  const stack_call call(now);
  auto& buffer = scratch();
  for (;;) {
    sctp_rcvinfo info{};
    socklen_t info_size = sizeof info, from_size = 0;
    unsigned info_type = 0;
    int flags = 0;
    b.readable = false;
    const auto count = usrsctp_recvv(b.sock, buffer.data(), buffer.size(), nullptr, &from_size,
                                     &info, &info_size, &info_type, &flags);
    b.driven(now, false);
    if (count <= 0) return std::nullopt;
    b.readable = true;
    const auto data = byte_view(buffer).first(static_cast<std::size_t>(count));
    if ((flags & MSG_NOTIFICATION) == 0) {
      return received{info.rcv_sid, ntohl(info.rcv_ppid), data, (flags & MSG_EOR) != 0};
    }
    alignas(sctp_notification) std::array<std::byte, 4096> notification;
    if (data.size() < sizeof(sctp_notification::sctp_tlv) || data.size() > notification.size()) {
      continue;
    }
    std::memcpy(notification.data(), data.data(), data.size());
    auto out = b.of_notification(*reinterpret_cast<sctp_notification*>(notification.data()));
    b.try_resets();
    if (out) return out;
  }
}

std::optional<byte_view> association::poll_packet() {
  return body_->outgoing.pop();
}

// usrsctp does not tell when its next timer is due. All of them were started by traffic, so asking
// after a tenth of the time since the last traffic makes none late by more than a tenth.
std::optional<time_point> association::next_timeout() const {
  const auto& b = *body_;
  if (!b.started || b.ended) return std::nullopt;
  // Packets that came of a read(), or of another association's driver moving the stack's clock.
  if (!b.outgoing.empty()) return b.last_driven;
  return b.last_driven + std::clamp<duration>((b.last_driven - b.last_activity) / 10, 5ms, 1000ms);
}

const counters& association::counters() const {
  return body_->counts;
}

}  // namespace nat::sctp
