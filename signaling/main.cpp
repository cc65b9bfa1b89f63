// signaling-server: see CLI.md for its contract, README.md beside this file for the rest.

#include <malloc.h>

#include <cstdio>
#include <exception>

#include "signaling/io/log.hpp"
#include "signaling/io/server.hpp"
#include "signaling/io/sockets.hpp"

int main(int argc, char** argv) {
  using namespace nat::signaling::io;
  // What one TLS handshake frees, the next one needs: by default each would give it to the system
  // and take it back, page by page.
  constexpr int most_kept_free = 16 << 20;
  ::mallopt(M_TRIM_THRESHOLD, most_kept_free);
  hold_signals();
  try {
    const auto options = read_options(argc, argv);
    if (!options) {
      const auto& [status, text] = options.error();
      std::fputs(text.c_str(), status == 0 ? stdout : stderr);
      return status;
    }
    if (!start_log(options->log_level, options->format)) return 2;
    if (options->check_only) {
      check(*options);
      std::puts("signaling-server: the options are good");
      return 0;
    }
    return serve(*options);
  } catch (const startup_error& wrong) {
    std::fprintf(stderr, "signaling-server: %s\n", wrong.message.c_str());
    return 2;
  } catch (const std::exception& wrong) {
    std::fprintf(stderr, "signaling-server: %s\n", wrong.what());
    return 1;
  }
}
