#include "protocol/signal/messages.hpp"

#include <algorithm>

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

// Thrown and caught within this file only, where a field is not what it should be.
struct malformed {
  std::string message;
};

[[noreturn]] void fail(std::string message) {
  throw malformed{std::move(message)};
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

json parse_object(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    fail("the message has " + std::to_string(text.size()) + " bytes, more than the " +
         std::to_string(max_bytes) + " that are allowed");
  }
  if (too_deep(text)) fail("the message is nested too deeply");
  auto document = json::parse(text, nullptr, false);
  if (document.is_discarded()) fail("the message is not JSON");
  if (!document.is_object()) fail("the message is not a JSON object");
  return document;
}

std::string quoted(const char* field) {
  return std::string("the field \"") + field + '"';
}

const json& required(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end()) fail(quoted(field) + " is missing");
  return *found;
}

// Absent and null mean the same for what is optional.
const json* optional(const json& object, const char* field) {
  const auto found = object.find(field);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string as_string(const json& value, const char* field) {
  if (!value.is_string()) fail(quoted(field) + " must be a string");
  return value.get<std::string>();
}

std::string string_field(const json& object, const char* field) {
  return as_string(required(object, field), field);
}

std::optional<std::string> optional_string(const json& object, const char* field) {
  const auto* value = optional(object, field);
  return value ? std::optional(as_string(*value, field)) : std::nullopt;
}

template <class Integer>
Integer as_integer(const json& value, const char* field) {
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() > std::numeric_limits<Integer>::max()) {
    fail(quoted(field) + " must be a whole number from 0 to " +
         std::to_string(std::numeric_limits<Integer>::max()));
  }
  return value.get<Integer>();
}

std::string name_field(const json& object, const char* field) {
  auto name = string_field(object, field);
  if (!is_peer_id(name)) {
    fail(quoted(field) + " must be a name: 1 to 64 of A-Z a-z 0-9 . _ ~ -");
  }
  return name;
}

std::optional<ice_candidate> candidate_field(const json& object) {
  const auto& value = required(object, "candidate");
  if (value.is_null()) return std::nullopt;
  if (!value.is_object()) fail(quoted("candidate") + " must be an object or null");
  ice_candidate out;
  out.candidate = optional_string(value, "candidate").value_or("");
  out.mid = optional_string(value, "sdpMid");
  if (const auto* index = optional(value, "sdpMLineIndex")) {
    out.mline_index = as_integer<std::uint16_t>(*index, "sdpMLineIndex");
  }
  out.ufrag = optional_string(value, "usernameFragment");
  return out;
}

std::vector<std::string> url_list(const json& server) {
  const auto& urls = required(server, "urls");
  if (urls.is_string()) return {urls.get<std::string>()};
  if (!urls.is_array() || urls.size() > max_ice_servers) {
    fail(quoted("urls") + " must be a string or a list of strings");
  }
  std::vector<std::string> out;
  for (const auto& url : urls) out.push_back(as_string(url, "urls"));
  return out;
}

std::vector<ice_server> ice_server_list(const json& object) {
  const auto* list = optional(object, "ice_servers");
  if (!list) return {};
  if (!list->is_array() || list->size() > max_ice_servers) {
    fail(quoted("ice_servers") + " must be a list of at most " + std::to_string(max_ice_servers));
  }
  std::vector<ice_server> out;
  for (const auto& server : *list) {
    if (!server.is_object()) fail(quoted("ice_servers") + " must hold objects");
    out.push_back({url_list(server), optional_string(server, "username").value_or(""),
                   optional_string(server, "credential").value_or("")});
  }
  return out;
}

template <class Message>
Message description(const json& object, const char* peer) {
  return {name_field(object, peer), string_field(object, "sdp"),
          optional_string(object, "session")};
}

candidate_message candidate(const json& object, const char* peer) {
  return {name_field(object, peer), candidate_field(object), optional_string(object, "session")};
}

bye_message bye(const json& object, const char* peer) {
  return {name_field(object, peer), optional_string(object, "session"),
          optional_string(object, "reason")};
}

registered_message registered(const json& object) {
  const auto* ttl = optional(object, "ttl");
  return {name_field(object, "peer_id"), optional_string(object, "resume").value_or(""),
          ice_server_list(object), ttl ? as_integer<std::uint32_t>(*ttl, "ttl") : 0};
}

outcome_message outcome(const json& object) {
  auto path = string_field(object, "path");
  if (path != "direct" && path != "relay" && path != "failed") {
    fail(quoted("path") + " must be \"direct\", \"relay\" or \"failed\"");
  }
  const auto* elapsed = optional(object, "connect_ms");
  if (elapsed && (!elapsed->is_number() || !(elapsed->get<double>() >= 0))) {
    fail(quoted("connect_ms") + " must be a number, 0 or more");
  }
  return {std::move(path), elapsed ? elapsed->get<double>() : 0};
}

[[noreturn]] void unknown_type(std::string_view type) {
  fail(type.size() > 32 ? std::string("the type is unknown")
                        : "the type \"" + std::string(type) + "\" is unknown");
}

server_message read_server_message(const json& object) {
  const auto type = string_field(object, "type");
  if (type == "offer") return description<offer_message>(object, "from");
  if (type == "answer") return description<answer_message>(object, "from");
  if (type == "candidate") return candidate(object, "from");
  if (type == "bye") return bye(object, "from");
  if (type == "registered") return registered(object);
  if (type == "going-away") return going_away_message{};
  if (type == "error") {
    return error_message{string_field(object, "code"),
                         optional_string(object, "message").value_or(""),
                         optional_string(object, "request"), optional_string(object, "target")};
  }
  unknown_type(type);
}

client_message read_client_message(const json& object) {
  const auto type = string_field(object, "type");
  if (type == "offer") return description<offer_message>(object, "target");
  if (type == "answer") return description<answer_message>(object, "target");
  if (type == "candidate") return candidate(object, "target");
  if (type == "bye") return bye(object, "target");
  if (type == "outcome") return outcome(object);
  if (type == "register") {
    return register_message{name_field(object, "peer_id"), optional_string(object, "token"),
                            optional_string(object, "resume")};
  }
  unknown_type(type);
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
  try {
    return read_server_message(parse_object(text, max_server_message_bytes));
  } catch (malformed& why) {
    return std::unexpected(parse_failure{std::move(why.message)});
  }
}

std::expected<client_message, parse_failure> parse_client_message(std::string_view text) {
  try {
    return read_client_message(parse_object(text, max_message_bytes));
  } catch (malformed& why) {
    return std::unexpected(parse_failure{std::move(why.message)});
  }
}

std::string to_json(const client_message& message) {
  return dump(std::visit(writer{"target"}, message));
}

std::string to_json(const server_message& message) {
  return dump(std::visit(writer{"from"}, message));
}

}  // namespace nat::signal
