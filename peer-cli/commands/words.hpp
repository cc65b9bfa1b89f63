#pragma once

// The words and JSON forms that every command's output is made of.

#include <string>

#include <nlohmann/json.hpp>

#include "ice/agent.hpp"

namespace nat::commands {

using json = nlohmann::ordered_json;

// One decimal is what a network's milliseconds are worth to a reader; scripts get three.
[[nodiscard]] std::string short_ms(duration);
[[nodiscard]] double json_ms(duration);

[[nodiscard]] json to_json(const endpoint&, transport);
[[nodiscard]] json to_json(const ice::candidate&);
[[nodiscard]] const char* path_name(const ice::connected&);  // direct, relay

}  // namespace nat::commands
