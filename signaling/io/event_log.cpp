#include "signaling/io/event_log.hpp"

#include <string>
#include <utility>

namespace nat::signaling::io {

void event_log::warn(kind k, std::string message, std::vector<log_line::field> fields) {
  if (!log_wanted(log_level::warning)) return;
  const auto i = static_cast<std::size_t>(k);
  if (!limiters_[i].admit(now_)) return;
  fields.insert(fields.begin(), {"event", std::string(kinds[i])});
  log(log_level::warning, {std::move(message), std::move(fields)});
}

void event_log::tick() {
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto count = limiters_[i].take_left_out(now_);
    if (count == 0) continue;
    log(log_level::warning,
        {"lines were left out, as there were too many of them",
         {{"event", "left-out"}, {"of", std::string(kinds[i])}, {"count", std::to_string(count)}}});
  }
}

void event_log::registered(const address& client, std::string_view name, bool resumed) {
  log_debug([&] {
    return log_line{"registered",
                    {{"event", "registered"},
                     {"client", to_string(client)},
                     {"name", std::string(name)},
                     {"reason", resumed ? "resumed" : ""}}};
  });
}

void event_log::refused(const address& client, std::string_view name, hub::error_code code,
                        std::string_view reason) {
  const bool always =
      code == hub::error_code::unauthorized || code == hub::error_code::rate_limited;
  if (!always && !log_wanted(log_level::debug)) return;
  std::vector<log_line::field> fields{{"client", to_string(client)},
                                      {"name", std::string(name)},
                                      {"code", std::string(to_string(code))},
                                      {"reason", std::string(reason)}};
  if (code == hub::error_code::unauthorized) {
    return warn(kind::refused, "registration refused", std::move(fields));
  }
  if (code == hub::error_code::rate_limited) {
    return warn(kind::penalized, "registration not looked at", std::move(fields));
  }
  fields.insert(fields.begin(), {"event", "registration-refused"});
  log(log_level::debug, {"registration refused", std::move(fields)});
}

void event_log::closed(const address& client, std::string_view name,
                       std::optional<websocket::close_code> code, std::string_view reason) {
  const bool flooding = reason == to_string(hub::closing::flooding);
  if (!flooding && !log_wanted(log_level::debug)) return;
  std::vector<log_line::field> fields{
      {"client", to_string(client)},
      {"name", std::string(name)},
      {"code", code ? std::to_string(static_cast<unsigned>(*code)) : ""},
      {"reason", std::string(reason)}};
  if (flooding) return warn(kind::flooding, "closed", std::move(fields));
  fields.insert(fields.begin(), {"event", "closed"});
  log(log_level::debug, {code ? "closed" : "cut off", std::move(fields)});
}

void event_log::left(const address& client, std::string_view name, bool clean) {
  log_debug([&] {
    return log_line{"left",
                    {{"event", "left"},
                     {"client", to_string(client)},
                     {"name", std::string(name)},
                     {"reason", clean ? "closed" : "lost"}}};
  });
}

void event_log::tls_failed(const address& client, std::string_view detail) {
  log_debug([&] {
    return log_line{
        "TLS failed",
        {{"event", "tls-failed"}, {"client", to_string(client)}, {"reason", std::string(detail)}}};
  });
}

void event_log::connection_refused(const address& client, std::string_view reason) {
  warn(kind::full, "too many connections",
       {{"client", to_string(client)}, {"reason", std::string(reason)}});
}

void event_log::origin_refused(const address& client, std::string_view origin) {
  warn(kind::origin, "a page of another origin was turned away",
       {{"client", to_string(client)}, {"origin", std::string(origin)}});
}

void event_log::out_of_descriptors() {
  warn(kind::descriptors,
       "no file descriptors left: raise the limit (ulimit -n) or lower --max-connections", {});
}

}  // namespace nat::signaling::io
