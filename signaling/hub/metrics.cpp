#include "signaling/hub/metrics.hpp"

#include <algorithm>
#include <charconv>

namespace nat::hub {

namespace {

std::string number(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

class writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "signaling_" + std::string(name);
    out_ += "# HELP " + name_ + ' ' + std::string(help) + "\n# TYPE " + name_ + ' ' +
            std::string(type) + '\n';
  }
  void value(double v) { out_ += name_ + ' ' + number(v) + '\n'; }
  void value(std::uint64_t v) { out_ += name_ + ' ' + std::to_string(v) + '\n'; }
  void value(std::string_view label, std::string_view of, std::uint64_t v) {
    out_ += name_ + '{' + std::string(label) + "=\"" + std::string(of) + "\"} " +
            std::to_string(v) + '\n';
  }
  void value(std::string_view label, std::string_view of, std::string_view label2,
             std::string_view of2, std::uint64_t v) {
    value(label, std::string(of) + "\"," + std::string(label2) + "=\"" + std::string(of2), v);
  }
  template <class Value>
  void one(std::string_view name, std::string_view type, std::string_view help, Value v) {
    family(name, type, help);
    value(v);
  }
  void one(std::string_view name, std::string_view help, const histogram& h) {
    family(name, "histogram", help);
    const auto bucket = [this](const std::string& bound, std::uint64_t count) {
      out_ += name_ + "_bucket{le=\"" + bound + "\"} " + std::to_string(count) + '\n';
    };
    for (std::size_t i = 0; i < histogram::bounds.size(); ++i) {
      bucket(number(static_cast<double>(histogram::bounds[i]) / 1e6), h.up_to(i));
    }
    const auto all = h.up_to(histogram::bounds.size());
    bucket("+Inf", all);
    out_ += name_ + "_sum " + number(h.sum_seconds()) + '\n';
    out_ += name_ + "_count " + std::to_string(all) + '\n';
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string name_, out_;
};

void write_connections(writer& w, const counters& c, const gauges& g) {
  w.one("kept_bytes", "gauge", "What waits for all clients, and what they have not finished.",
        std::uint64_t{g.kept_bytes});
  w.one("connections", "gauge", "WebSocket connections.", c.connections);
  w.one("connections_total", "counter", "WebSocket connections since the start.", c.opened);
  w.family("connections_rejected_total", "counter", "Connections turned away, by the limit.");
  for (std::size_t i = 0; i < rejections; ++i) {
    w.value("limit", to_string(static_cast<rejection>(i)), g.connections_rejected[i]);
  }
  w.family("closed_total", "counter", "Connections that the server ended, by reason.");
  for (std::size_t i = 0; i < closings; ++i) {
    w.value("reason", to_string(static_cast<closing>(i)), c.closed[i]);
  }
  w.one("names", "gauge", "Names in use.", std::uint64_t{g.names_live});
  w.one("names_held", "gauge", "Names held for owners that were cut off.",
        std::uint64_t{g.names_held});
  w.one("registrations_total", "counter", "Names granted.", c.registered);
  w.one("registrations_denied_total", "counter", "Registrations with a wrong token.",
        c.unauthorized);
  w.one("resumptions_total", "counter", "Names granted for their resume secret.", c.resumed);
}

void write_messages(writer& w, const counters& c) {
  w.family("messages_total", "counter",
           "Messages of clients whose type could be read, by type and outcome.");
  for (std::size_t i = 0; i < request_types; ++i) {
    const auto type = static_cast<request_type>(i);
    for (const auto f : {success_of(type), fate::refused}) {
      w.value("type", to_string(type), "outcome", to_string(f),
              c.messages[i][static_cast<std::size_t>(f)]);
    }
  }
  w.one("delivered_total", "counter", "Messages queued for another client.", c.delivered);
  w.family("errors_total", "counter", "Errors told to clients, by code.");
  for (std::size_t i = 0; i < error_codes; ++i) {
    w.value("code", to_string(static_cast<error_code>(i)), c.errors[i]);
  }
  w.one("received_bytes_total", "counter", "Octets of messages received.", c.bytes_in);
  w.one("sent_bytes_total", "counter", "Octets of messages queued for clients.", c.bytes_out);
  w.one("queue_high_water_bytes", "gauge",
        "The most that waited for one client in the last minute.", c.queue_high_water);
}

void write_outcomes(writer& w, const counters& c) {
  static constexpr std::array<std::string_view, outcome_paths> paths{"direct", "relay", "failed"};
  w.family("outcomes_total", "counter", "Sessions as clients told of them, by path.");
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < outcome_paths; ++i) {
    w.value("path", paths[i], c.outcomes[i]);
    all += c.outcomes[i];
  }
  w.one("connect_milliseconds_sum", "counter", "Their times until connected, added up.",
        c.connect_ms);
  w.one("connect_milliseconds_count", "counter", "How many were added up.", all);
}

void write_stun(writer& w, const stun_counters& c) {
  w.one("stun_requests_total", "counter",
        "Messages at the embedded STUN server, relayed data aside.", c.requests);
  w.one("stun_answers_total", "counter", "Answers of the embedded STUN server.", c.answers);
  w.one("stun_datagrams_sent_total", "counter", "Datagrams sent, relayed data included.",
        c.datagrams_out);
  w.one("stun_datagrams_lost_total", "counter", "Datagrams that the system did not take.",
        c.datagrams_lost);
  w.one("stun_streams", "gauge", "TCP and TLS connections to the embedded STUN and TURN server.",
        c.streams);
  w.one("stun_streams_total", "counter", "Such connections since the start.", c.streams_opened);
  w.one("stun_stream_messages_dropped_total", "counter",
        "Messages for such clients that found too much waiting.", c.streams_dropped);
  w.one("stun_streams_flooded_total", "counter",
        "Such connections that were ended for asking too much.", c.streams_flooded);
}

void write_relays(writer& w, const stun_counters& c) {
  const auto& t = c.turn;
  w.one("relay_allocations", "gauge", "Relayed addresses in use.", t.allocations);
  w.family("relay_allocations_total", "counter", "Relayed addresses since the start, by event.");
  w.value("event", "created", t.created);
  w.value("event", "expired", t.expired);
  w.value("event", "released", t.released);
  w.family("relay_packets_total", "counter", "Datagrams relayed, by whom they were for.");
  w.value("to", "peer", t.packets_to_peers);
  w.value("to", "client", t.packets_to_clients);
  w.family("relay_bytes_total", "counter", "Their payload, by whom it was for.");
  w.value("to", "peer", t.bytes_to_peers);
  w.value("to", "client", t.bytes_to_clients);
  w.family("relay_refused_total", "counter", "TURN requests refused, by reason.");
  for (std::size_t i = 0; i < turn::refusal_count; ++i) {
    w.value("reason", to_string(static_cast<turn::refusal>(i)), t.refused[i]);
  }
  w.family("relay_dropped_total", "counter", "What came and went no further, by reason.");
  w.value("reason", "malformed", t.malformed);
  w.value("reason", "no_allocation", t.no_allocation);
  w.value("reason", "no_permission", t.no_permission);
  w.value("reason", "rate_limited", t.limited);
  w.one("relay_sockets_failed_total", "counter", "Relayed ports that the system would not open.",
        c.relay_sockets_failed);
}

void write_cluster(writer& w, const cluster_gauges& c) {
  if (!c.configured) return;
  w.family("cluster_state", "gauge", "Whether the cluster can be used, by state.");
  for (const auto state : cluster_gauges::states) w.value("state", state, c.state == state ? 1 : 0);
  w.one("cluster_commands_total", "counter", "Commands sent to Redis.", c.commands);
  w.one("cluster_command_failures_total", "counter", "Those that it answered with an error.",
        c.failures);
  w.one("cluster_disconnects_total", "counter", "Times that Redis was lost, or not reached.",
        c.disconnects);
  w.one("cluster_resubscriptions_total", "counter", "Subscriptions lost while Redis was there.",
        c.subscriptions);
  w.one("cluster_epochs_total", "counter", "Epochs of this server: 1, and more if it was frozen.",
        c.epochs);
  w.one("cluster_leases_lapsed_total", "counter",
        "Leases that ended in Redis before their time, so that all names were claimed again.",
        c.lapses);
  w.family("cluster_messages_total", "counter", "Messages between servers, by direction.");
  w.value("direction", "out", c.published);
  w.value("direction", "in", c.received);
  w.one("cluster_acknowledgements_missing_total", "counter",
        "Offers and answers of which nothing was heard in time.", c.acknowledgements_missing);
  w.one("cluster_unavailable_total", "counter", "Requests refused while Redis was away.",
        c.unavailable);
  w.one("cluster_superseded_total", "counter", "Names lost to other servers.", c.superseded);
  w.one("cluster_malformed_total", "counter", "Publications that could not be read.", c.malformed);
}

void write_reloads(writer& w, const gauges& g) {
  w.family("reloads_total", "counter", "Times that SIGHUP was followed, by outcome.");
  w.value("outcome", "done", g.reloads_done);
  w.value("outcome", "failed", g.reloads_failed);
  w.one("loaded_timestamp_seconds", "gauge",
        "When the tokens and the certificate in force were read, in Unix time.",
        std::uint64_t(g.loaded_at));
  if (g.certificate_expires) {
    w.family("certificate_expires_timestamp_seconds", "gauge",
             "When the TLS certificate in force ends, in Unix time.");
    w.value(static_cast<std::uint64_t>(std::max<std::int64_t>(*g.certificate_expires, 0)));
  }
}

}  // namespace

std::string metrics_text(const counters& c, const gauges& g) {
  writer w;
  write_connections(w, c, g);
  write_messages(w, c);
  write_outcomes(w, c);
  write_stun(w, g.stun);
  write_relays(w, g.stun);
  write_cluster(w, g.cluster);
  w.one("tls_handshakes_total", "counter", "TLS handshakes that succeeded.", g.tls_handshakes);
  w.one("tls_resumed_total", "counter", "Those of them that took up an earlier session.",
        g.tls_resumed);
  w.one("tls_failures_total", "counter", "TLS connections that broke the protocol, or were none.",
        g.tls_failed);
  write_reloads(w, g);
  w.one("event_loops", "gauge", "Event loops, one thread each.", std::uint64_t{g.loops});
  w.one("event_loop_lag_seconds", "gauge", "How late a timer was, the worst of the last minute.",
        g.event_loop_lag_seconds);
  w.one("forwarding_seconds",
        "From the read that brought a message to the end of the write that carried it on.",
        g.forwarding);
  w.one("event_loop_late_seconds", "How late each event loop's timer was, four times a second.",
        g.lag);
  return w.take();
}

}  // namespace nat::hub
