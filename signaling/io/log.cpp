#include "signaling/io/log.hpp"

#include <memory>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace nat::signaling::io {

namespace {

// The message as the inside of a JSON string.
class json_message final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    static constexpr char hex[] = "0123456789abcdef";
    for (const char c : message.payload) {
      const auto octet = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (octet < 0x20) {
        for (const char e : {'\\', 'u', '0', '0', hex[octet >> 4], hex[octet & 15]})
          out.push_back(e);
      } else {
        out.push_back(c);
      }
    }
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<json_message>();
  }
};

spdlog::logger& logger() {
  return *spdlog::default_logger_raw();
}

void write(spdlog::level::level_enum level, std::string_view text) {
  logger().log(level, spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace

bool start_log(std::string_view level, log_format format) {
  const auto wanted = spdlog::level::from_str(std::string(level));
  if (wanted == spdlog::level::off && level != "off") return false;
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "signaling", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_level(wanted);
  spdlog::flush_on(spdlog::level::trace);
  if (format == log_format::text) {
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  } else {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<json_message>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%*"})");
    spdlog::set_formatter(std::move(formatter));
  }
  return true;
}

void log_info(std::string_view text) {
  write(spdlog::level::info, text);
}
void log_warning(std::string_view text) {
  write(spdlog::level::warn, text);
}
void log_error(std::string_view text) {
  write(spdlog::level::err, text);
}
bool debug_wanted() {
  return logger().should_log(spdlog::level::debug);
}
void log_debug_line(std::string_view text) {
  write(spdlog::level::debug, text);
}

}  // namespace nat::signaling::io
