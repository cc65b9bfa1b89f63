// The command line and the file of --config, read as the program reads them.

#include "signaling/io/options.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/check.hpp"

namespace nat::signaling::io {
namespace {

class config {
 public:
  explicit config(std::string_view text)
      : file_(std::filesystem::temp_directory_path() /
              ("signaling_test_options." + std::to_string(::getpid()))) {
    std::ofstream(file_) << text;
  }
  ~config() { std::filesystem::remove(file_); }
  config(const config&) = delete;
  config& operator=(const config&) = delete;
  [[nodiscard]] std::string file() const { return file_; }

 private:
  std::filesystem::path file_;
};

std::expected<options, early_exit> read(std::vector<std::string> arguments) {
  std::vector<const char*> argv{"signaling-server"};
  for (const auto& a : arguments) argv.push_back(a.c_str());
  return read_options(static_cast<int>(argv.size()), argv.data());
}

std::string error_of(const std::expected<options, early_exit>& result) {
  if (result) return "it was taken";
  CHECK(result.error().status == 2);
  CHECK(result.error().text.find('\n') == result.error().text.size() - 1);
  return result.error().text;
}

// What the program says of such a file, the file's name left out.
std::string error_in(std::string_view text) {
  const config c(text);
  auto said = error_of(read({"--config", c.file()}));
  const auto at = said.find(c.file());
  return at == said.npos ? said : said.erase(at, c.file().size());
}

TEST_CASE("a count is a whole number that is not negative, wherever it stands") {
  for (const std::string option :
       {"max-connections", "max-connections-per-address", "max-message-bytes", "send-queue-bytes",
        "max-allocations", "max-allocations-per-name", "max-allocations-per-address", "threads"}) {
    for (const std::string value : {"-1", "18446744073709551616", "18446744073709551615",
                                    "99999999999999999999", "1.5", "1e3", "x", "5 ", "+5", ""}) {
      CHECK_MESSAGE(error_of(read({"--" + option, value})).contains("--" + option),
                    option << ' ' << value);
    }
    CHECK_MESSAGE(error_in(option + " = -1")
                      .contains(":1: --" + option +
                                ": \"-1\" is not a whole "
                                "number from "),
                  error_in(option + " = -1"));
    CHECK(error_in(option + " = 1.5").contains(":1: --" + option));
    CHECK(error_in(option + " = 18446744073709551616").contains(":1: "));
    CHECK(error_in(option + " = 9223372036854775807").contains(":1: --" + option));
  }
  CHECK(read({"--max-connections", "0"})->limits.max_connections == 0);
  CHECK(read({"--max-connections", "1000000000000"})->limits.max_connections == 1'000'000'000'000);
  CHECK(read({"--max-allocations=7"})->max_allocations == 7);
}

TEST_CASE("rates and times are numbers within bounds; what is little is not nothing") {
  for (const std::string value : {"-1", "nan", "inf", "-inf", "1e300", "x", ""}) {
    for (const char* option :
         {"--messages-per-second", "--register-timeout", "--idle-timeout", "--resume-window"}) {
      CHECK_MESSAGE(error_of(read({option, value})).contains(option), option << ' ' << value);
    }
  }
  CHECK(read({"--idle-timeout", "0"})->limits.idle_timeout.count() == 0);
  CHECK(read({"--idle-timeout", "0.0001"})->limits.idle_timeout.count() == 1);
  CHECK(read({"--messages-per-second", "0.5"})->limits.messages_per_second == 0.5);
}

TEST_CASE("the file is TOML") {
  const config c(
      "# a comment\n"
      "jwt-key = [\n"
      "  \"one.pem\", # and another\n"
      "  'C:\\two.pem',\n"
      "]\n"
      "jwt-audience = \"urn:x#y\"\n"
      "jwt-names-claim = \"sch\\u00f6n \\\"quoted\\\"\"\n"
      "listen = \"127.0.0.1:1\"\n"
      "max-connections = 1_000\n"
      "max-allocations = 0x10\n"
      "idle-timeout = 7\n"
      "register-timeout = 2.5\n"
      "no-turn = true\n"
      "allow-origin = [\"https://App.example:443/\", \"http://localhost:3000\"]\n");
  const auto o = read({"--config", c.file(), "--max-allocations", "3"});
  REQUIRE_MESSAGE(o.has_value(), error_of(o));
  CHECK(o->jwt_keys == std::vector<std::string>{"one.pem", "C:\\two.pem"});
  CHECK(o->jwt_audience == "urn:x#y");
  CHECK(o->jwt_names_claim == "sch\xc3\xb6n \"quoted\"");
  REQUIRE(o->listen.size() == 1);
  CHECK(to_string(o->listen[0]) == "127.0.0.1:1");
  CHECK(o->limits.max_connections == 1000);
  CHECK(o->max_allocations == 3);  // the command line comes first
  CHECK(o->limits.idle_timeout.count() == 7000);
  CHECK(o->limits.register_timeout.count() == 2500);
  CHECK_FALSE(o->turn);
  CHECK(o->allowed_origins ==
        std::vector<std::string>{"https://app.example", "http://localhost:3000"});
  const config off("no-stun = false");
  CHECK_FALSE(read({"--config", off.file()})->stun.empty());
}

TEST_CASE("what is wrong in it is said by file and line") {
  for (const auto& [text, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"\nmax-conections = 5\n",
            ":2: \"max-conections\" is no option; the nearest is "
            "max-connections "},
           {"treads = 5", ":1: \"treads\" is no option; the nearest is threads "},
           {"help = true", ":1: \"help\" is no option"},
           {"config = \"x\"", ":1: \"config\" is no option"},
           {"check-config = true", ":1: \"check-config\" is no option"},
           {"\n\nlog-level = \"info\nno-turn = true\n", ":3: "},
           {"listen = [\"127.0.0.1:1\"\n", ": "},
           {"listen = [\"127.0.0.1:1\" \"127.0.0.1:2\"]\n", ":1: "},
           {"no-turn\n", ":1: "},
           {"threads = 1\nthreads = 2\n", ":2: "},
           {"jwt-audience = \"\\q\"\n", ":1: "},
           {"log-level = info\n", ":1: "},
           {"jwt-audience = \"\xff\"\n", ":1: "},
           {"threads = 1\n[limits]\nmax-connections = 5\n",
            ":2: options stand at the top level, not under \"limits\""},
           {"[[listen]]\n", ":1: options stand at the top level"},
           {"limits.max-connections = 5\n", ":1: options stand at the top level"},
           {"threads = 1\nmax-connections = \"5\"\n",
            ":2: max-connections takes a number, without quotes"},
           {"idle-timeout = true\n", ":1: idle-timeout takes a number"},
           {"no-turn = 1\n", ":1: no-turn takes true or false"},
           {"no-turn = \"true\"\n", ":1: no-turn takes true or false"},
           {"log-level = 1\n", ":1: log-level takes a string in quotes"},
           {"log-level = [\"info\"]\n", ":1: log-level takes a string in quotes"},
           {"listen = 8080\n", ":1: listen takes a list of strings, or one string"},
           {"listen = [8080]\n", ":1: listen takes a list of strings, or one string"},
           {"listen = [[\"127.0.0.1:1\"]]\n", ":1: listen takes a list"},
           {"listen = []\n", ":1: listen is empty: leave the line out"},
           {"token-file = \"\"\n", ":1: token-file is empty: leave the line out"},
           {"token-file = \"a\\u0000b\"\n", ":1: token-file holds a control character"},
           {"token-file = 2026-01-01\n", ":1: token-file takes a string"},
           {"threads = 1\n\nlisten = [\"nonsense\"]\n", ":3: --listen: \"nonsense\" is not"},
           {"\nlog-level = \"loud\"\n", ":2: --log-level: "},
           {"idle-timeout = -1\n", ":1: --idle-timeout: "},
           {"idle-timeout = inf\n", ":1: --idle-timeout: \"inf\" is not a number from 0"},
           {"tls-cert = \"x\"\n", ":1: --tls-cert requires --tls-key"},
           {"allow-origin = \"*\"\n", ":1: --allow-origin: \"*\" is for nobody: leave it out"}}) {
    const auto said = error_in(text);
    CHECK_MESSAGE(said.contains(expected), text << " gave " << said);
  }
}

TEST_CASE("a file that can't be read, or two of them, are errors") {
  CHECK(error_of(read({"--config", "/nonexistent"})).contains("/nonexistent"));
  CHECK(error_of(read({"--config", "/"})).contains("/"));
  const config c("threads = 1");
  CHECK(error_of(read({"--config", c.file(), "--config", c.file()})).contains("--config"));
}

TEST_CASE("an error on the command line is not blamed on the file") {
  const config c("listen = \"127.0.0.1:1\"");
  const auto said = error_of(read({"--config", c.file(), "--listen", "nonsense"}));
  CHECK_MESSAGE(said.starts_with("signaling-server: --listen: \"nonsense\""), said);
}

TEST_CASE("an option with nothing in it is an error, not the default") {
  for (const std::string option : {"--token-file", "--listen", "--cluster", "--tls-cert"}) {
    CHECK(error_of(read({option, ""})).contains(option + ": is empty"));
  }
}

TEST_CASE("an origin that no browser sends is refused") {
  for (const char* bad : {"*", "app.example", "https://app.example/path"}) {
    CHECK(error_of(read({"--allow-origin", bad})).contains(bad));
  }
  CHECK(read({"--allow-origin", "https://App.example/"})->allowed_origins ==
        std::vector<std::string>{"https://app.example"});
}

}  // namespace
}  // namespace nat::signaling::io
