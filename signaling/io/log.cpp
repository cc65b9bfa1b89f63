#include "signaling/io/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace nat::signaling::io {

namespace {

constexpr std::size_t max_value = 200;

log_format format_ = log_format::text;  // set once, at the start

void append_escaped(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet < 0x20 || octet >= 0x7f) {  // what is no ASCII may be no UTF-8 either
      for (const char e : {'\\', 'u', '0', '0', hex[octet >> 4], hex[octet & 15]}) out += e;
    } else {
      out += c;
    }
  }
  out += '"';
}

bool is_word(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '=' && c != '\\'; });
}

std::string in_json(const log_line& line) {
  std::string out = "\"message\":";
  append_escaped(out, line.message);
  for (const auto& [key, value] : line.fields) {
    if (value.empty()) continue;
    out += ",\"";
    out += key;
    out += "\":";
    append_escaped(out, std::string_view(value).substr(0, max_value));
  }
  return out;
}

std::string in_text(const log_line& line) {
  auto out = line.message;
  for (const auto& [key, value] : line.fields) {
    if (value.empty()) continue;
    out += ' ';
    out += key;
    out += '=';
    if (is_word(value)) {
      out.append(value, 0, max_value);
    } else {
      append_escaped(out, std::string_view(value).substr(0, max_value));
    }
  }
  return out;
}

std::string written(const log_line& line) {
  return format_ == log_format::json ? in_json(line) : in_text(line);
}

// A pipe that is ready takes a line without waiting: PIPE_BUF of it at least (POSIX), and lines are
// shorter. So do a file, and the socket of systemd's journal.
class standard_error final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
      ++left_out_;
      return;
    }
    if (left_out_ > 0) {
      const auto text =
          written({.message = "lines that standard error did not take were left out",
                   .fields = {{"event", "left-out"}, {"count", std::to_string(left_out_)}}});
      put({message.logger_name, spdlog::level::warn, text});
      left_out_ = 0;
    }
    put(message);
  }
  void flush_() override {}

 private:
  void put(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view rest(line.data(), line.size());
    while (!rest.empty()) {
      const auto n = ::write(STDERR_FILENO, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        ++left_out_;
        return;
      }
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  std::uint64_t left_out_ = 0;
};

spdlog::level::level_enum level_of(log_level l) {
  switch (l) {
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warning:
      return spdlog::level::warn;
    case log_level::error:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

bool start_log(std::string_view level, log_format format) {
  const auto wanted = spdlog::level::from_str(std::string(level));
  if (wanted == spdlog::level::off && level != "off") return false;
  format_ = format;
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("signaling", std::make_shared<standard_error>()));
  spdlog::set_level(wanted);
  spdlog::set_pattern(format == log_format::text
                          ? "%Y-%m-%dT%H:%M:%S.%e%z %l %v"
                          : R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})");
  return true;
}

bool log_wanted(log_level l) {
  return spdlog::default_logger_raw()->should_log(level_of(l));
}

void log_always(std::string message) {
  const auto& logger = *spdlog::default_logger_raw();
  const auto text = written({std::move(message)});
  const spdlog::details::log_msg line(logger.name(), spdlog::level::info, text);
  for (const auto& sink : logger.sinks()) sink->log(line);
}

void log(log_level l, const log_line& line) {
  if (!log_wanted(l)) return;
  const auto text = written(line);
  spdlog::default_logger_raw()->log(level_of(l), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace nat::signaling::io
