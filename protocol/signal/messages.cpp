#include "protocol/signal/messages.hpp"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

namespace nat::signal {

namespace {

using json = nlohmann::ordered_json;

// What is forwarded may have grown by the length of a name where the target's stood; a registered
// message holds a list of servers.
constexpr std::size_t max_server_message_bytes = max_message_bytes + 4096;
// A message needs 4 levels; what is deeper is nobody's message.
constexpr int max_depth = 16;
constexpr std::size_t max_ice_servers = 64;

std::string quoted(const char* field) {
  return std::string("the field \"") + field + '"';
}

// Looks at brackets outside of strings only; whether it is JSON at all is for the parser.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// Reads fields one after the other. The first thing that is wrong is remembered and reported once,
// so that reading needs no checks in between; what is read after it does not matter.
class reader {
 public:
  reader(std::string_view text, std::size_t max_bytes) {
    if (text.size() > max_bytes) {
      fail("the message has " + std::to_string(text.size()) + " bytes, more than the " +
           std::to_string(max_bytes) + " that are allowed");
    } else if (too_deep(text)) {
      fail("the message is nested too deeply");
    } else if (message_ = json::parse(text, nullptr, false); message_.is_discarded()) {
      fail("the message is not JSON");
    } else if (!message_.is_object()) {
      fail("the message is not a JSON object");
    }
    if (wrong_) message_ = json::object();
  }

  void fail(std::string message) {
    if (!wrong_) wrong_ = parse_failure{std::move(message)};
  }
  [[nodiscard]] const std::optional<parse_failure>& wrong() const { return wrong_; }
  [[nodiscard]] const json& message() const { return message_; }

  // nullptr where it is missing, which is wrong.
  const json* required(const json& object, const char* field) {
    const auto found = object.find(field);
    if (found != object.end()) return &*found;
    fail(quoted(field) + " is missing");
    return nullptr;
  }
  // Absent and null mean the same for what is optional.
  static const json* optional(const json& object, const char* field) {
    const auto found = object.find(field);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }

  std::string as_string(const json& value, const char* field) {
    if (value.is_string()) return value.get<std::string>();
    fail(quoted(field) + " must be a string");
    return {};
  }
  std::string string_field(const json& object, const char* field) {
    const auto* value = required(object, field);
    return value ? as_string(*value, field) : std::string();
  }
  std::optional<std::string> optional_string(const json& object, const char* field) {
    const auto* value = optional(object, field);
    return value ? std::optional(as_string(*value, field)) : std::nullopt;
  }
  template <class Integer>
  Integer as_integer(const json& value, const char* field) {
    constexpr auto most = std::numeric_limits<Integer>::max();
    if (value.is_number_unsigned() && value.get<std::uint64_t>() <= most) {
      return value.get<Integer>();
    }
    fail(quoted(field) + " must be a whole number from 0 to " + std::to_string(most));
    return 0;
  }
  std::string name_field(const char* field) {
    auto name = string_field(message_, field);
    if (!is_peer_id(name)) {
      fail(quoted(field) + " must be a name: 1 to 64 of A-Z a-z 0-9 . _ ~ -");
    }
    return name;
  }

 private:
  json message_;
  std::optional<parse_failure> wrong_;
};

std::optional<ice_candidate> candidate_field(reader& r) {
  const auto* value = r.required(r.message(), "candidate");
  if (!value || value->is_null()) return std::nullopt;
  if (!value->is_object()) {
    r.fail(quoted("candidate") + " must be an object or null");
    return std::nullopt;
  }
  ice_candidate out;
  out.candidate = r.optional_string(*value, "candidate").value_or("");
  out.mid = r.optional_string(*value, "sdpMid");
  if (const auto* index = reader::optional(*value, "sdpMLineIndex")) {
    out.mline_index = r.as_integer<std::uint16_t>(*index, "sdpMLineIndex");
  }
  out.ufrag = r.optional_string(*value, "usernameFragment");
  return out;
}

std::vector<std::string> url_list(reader& r, const json& server) {
  const auto* urls = r.required(server, "urls");
  if (!urls) return {};
  if (urls->is_string()) return {urls->get<std::string>()};
  if (!urls->is_array() || urls->size() > max_ice_servers) {
    r.fail(quoted("urls") + " must be a string or a list of strings");
    return {};
  }
  std::vector<std::string> out;
  for (const auto& url : *urls) out.push_back(r.as_string(url, "urls"));
  return out;
}

std::vector<ice_server> ice_server_list(reader& r) {
  const auto* list = reader::optional(r.message(), "ice_servers");
  if (!list) return {};
  if (!list->is_array() || list->size() > max_ice_servers) {
    r.fail(quoted("ice_servers") + " must be a list of at most " + std::to_string(max_ice_servers));
    return {};
  }
  std::vector<ice_server> out;
  for (const auto& server : *list) {
    if (!server.is_object()) {
      r.fail(quoted("ice_servers") + " must hold objects");
      return {};
    }
    out.push_back({url_list(r, server), r.optional_string(server, "username").value_or(""),
                   r.optional_string(server, "credential").value_or("")});
  }
  return out;
}

template <class Message>
Message description(reader& r, const char* peer) {
  return {r.name_field(peer), r.string_field(r.message(), "sdp"),
          r.optional_string(r.message(), "session")};
}

candidate_message candidate(reader& r, const char* peer) {
  return {r.name_field(peer), candidate_field(r), r.optional_string(r.message(), "session")};
}

bye_message bye(reader& r, const char* peer) {
  return {r.name_field(peer), r.optional_string(r.message(), "session"),
          r.optional_string(r.message(), "reason")};
}

registered_message registered(reader& r) {
  const auto* ttl = reader::optional(r.message(), "ttl");
  return {r.name_field("peer_id"), r.optional_string(r.message(), "resume").value_or(""),
          ice_server_list(r), ttl ? r.as_integer<std::uint32_t>(*ttl, "ttl") : 0};
}

outcome_message outcome(reader& r) {
  auto path = r.string_field(r.message(), "path");
  if (path != "direct" && path != "relay" && path != "failed") {
    r.fail(quoted("path") + " must be \"direct\", \"relay\" or \"failed\"");
  }
  const auto* elapsed = reader::optional(r.message(), "connect_ms");
  if (!elapsed) return {std::move(path), 0};
  if (!elapsed->is_number() || !(elapsed->get<double>() >= 0)) {
    r.fail(quoted("connect_ms") + " must be a number, 0 or more");
    return {std::move(path), 0};
  }
  return {std::move(path), elapsed->get<double>()};
}

void unknown_type(reader& r, std::string_view type) {
  r.fail(type.size() > 32 ? std::string("the type is unknown")
                          : "the type \"" + std::string(type) + "\" is unknown");
}

server_message read_server_message(reader& r) {
  const auto type = r.string_field(r.message(), "type");
  if (type == "offer") return description<offer_message>(r, "from");
  if (type == "answer") return description<answer_message>(r, "from");
  if (type == "candidate") return candidate(r, "from");
  if (type == "bye") return bye(r, "from");
  if (type == "registered") return registered(r);
  if (type == "error") {
    const auto& m = r.message();
    return error_message{r.string_field(m, "code"), r.optional_string(m, "message").value_or(""),
                         r.optional_string(m, "request"), r.optional_string(m, "target")};
  }
  if (type != "going-away") unknown_type(r, type);
  return going_away_message{};
}

client_message read_client_message(reader& r) {
  const auto type = r.string_field(r.message(), "type");
  if (type == "offer") return description<offer_message>(r, "target");
  if (type == "answer") return description<answer_message>(r, "target");
  if (type == "candidate") return candidate(r, "target");
  if (type == "bye") return bye(r, "target");
  if (type == "outcome") return outcome(r);
  if (type != "register") {
    unknown_type(r, type);
    return {};
  }
  return register_message{r.name_field("peer_id"), r.optional_string(r.message(), "token"),
                          r.optional_string(r.message(), "resume")};
}

void put(json& object, const char* field, const std::optional<std::string>& value) {
  if (value) object[field] = *value;
}

json candidate_json(const std::optional<ice_candidate>& value) {
  if (!value) return nullptr;
  json out{{"candidate", value->candidate}};
  put(out, "sdpMid", value->mid);
  if (value->mline_index) out["sdpMLineIndex"] = *value->mline_index;
  put(out, "usernameFragment", value->ufrag);
  return out;
}

// One writer for both directions: they differ in the word for the other client.
struct writer {
  const char* peer;

  template <class Message>
  json description(const char* type, const Message& m) const {
    json out{{"type", type}, {peer, m.peer}};
    put(out, "session", m.session);
    out["sdp"] = m.sdp;
    return out;
  }
  json operator()(const offer_message& m) const { return description("offer", m); }
  json operator()(const answer_message& m) const { return description("answer", m); }
  json operator()(const candidate_message& m) const {
    json out{{"type", "candidate"}, {peer, m.peer}};
    put(out, "session", m.session);
    out["candidate"] = candidate_json(m.candidate);
    return out;
  }
  json operator()(const bye_message& m) const {
    json out{{"type", "bye"}, {peer, m.peer}};
    put(out, "session", m.session);
    put(out, "reason", m.reason);
    return out;
  }
  json operator()(const register_message& m) const {
    json out{{"type", "register"}, {"peer_id", m.peer_id}};
    put(out, "token", m.token);
    put(out, "resume", m.resume);
    return out;
  }
  json operator()(const outcome_message& m) const {
    return {{"type", "outcome"}, {"path", m.path}, {"connect_ms", m.connect_ms}};
  }
  json operator()(const registered_message& m) const {
    auto servers = json::array();
    for (const auto& server : m.ice_servers) {
      json entry{{"urls", server.urls}};
      if (!server.username.empty()) entry["username"] = server.username;
      if (!server.credential.empty()) entry["credential"] = server.credential;
      servers.push_back(std::move(entry));
    }
    return {{"type", "registered"},
            {"peer_id", m.peer_id},
            {"resume", m.resume},
            {"ice_servers", std::move(servers)},
            {"ttl", m.ttl}};
  }
  json operator()(const error_message& m) const {
    json out{{"type", "error"}, {"code", m.code}, {"message", m.message}};
    put(out, "request", m.request);
    put(out, "target", m.target);
    return out;
  }
  json operator()(const going_away_message&) const { return {{"type", "going-away"}}; }
};

// Text that is not UTF-8 leaves with U+FFFD where it was wrong, never as an exception.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

bool is_peer_id(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '~' || c == '-';
  });
}

std::expected<server_message, parse_failure> parse_server_message(std::string_view text) {
  reader r(text, max_server_message_bytes);
  auto message = read_server_message(r);
  if (r.wrong()) return std::unexpected(*r.wrong());
  return message;
}

std::expected<client_message, parse_failure> parse_client_message(std::string_view text) {
  reader r(text, max_message_bytes);
  auto message = read_client_message(r);
  if (r.wrong()) return std::unexpected(*r.wrong());
  return message;
}

std::string to_json(const client_message& message) {
  return dump(std::visit(writer{"target"}, message));
}

std::string to_json(const server_message& message) {
  return dump(std::visit(writer{"from"}, message));
}

}  // namespace nat::signal
