#pragma once

// The counters as Prometheus text (exposition format 0.0.4).

#include <cstdint>
#include <optional>
#include <string>

#include "signaling/hub/admission.hpp"
#include "signaling/hub/cluster_gauges.hpp"
#include "signaling/hub/counters.hpp"
#include "signaling/hub/histogram.hpp"
#include "signaling/hub/stun_counters.hpp"

namespace nat::hub {

struct gauges {
  std::size_t names_live = 0, names_held = 0, loops = 0;
  rejection_counts connections_rejected{};
  std::size_t kept_bytes = 0;
  stun_counters stun;
  cluster_gauges cluster;
  std::uint64_t tls_handshakes = 0, tls_resumed = 0, tls_failed = 0;
  double event_loop_lag_seconds = 0;  // the worst of the last minute
  histogram forwarding{}, lag{};
  std::uint64_t reloads_done = 0, reloads_failed = 0;
  std::int64_t loaded_at = 0;                         // Unix time
  std::optional<std::int64_t> certificate_expires{};  // Unix time; nullopt: no TLS
};

[[nodiscard]] std::string metrics_text(const counters&, const gauges&);

}  // namespace nat::hub
