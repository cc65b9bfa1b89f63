// peer-cli: reads the command line, runs one verb, returns its status.

#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <iostream>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/io/runtime.hpp"

int main(int argc, char** argv) {
  using namespace nat::commands;
  // A standard descriptor that was closed would come back as one of our sockets.
  while (true) {
    const int lowest = ::open("/dev/null", O_RDWR);
    if (lowest > 2 || lowest < 0) {
      if (lowest > 2) ::close(lowest);
      break;
    }
  }
  try {
    const auto options = parse_options(argc, argv);
    switch (options.command) {
      case verb::listen:
      case verb::connect:
        return run_pipe(options);
      case verb::check:
        return run_check(options);
      case verb::ping:
        return run_ping(options);
      case verb::bench:
        return run_bench(options);
      case verb::stun:
        return run_stun(options);
      case verb::nat:
        return run_nat(options);
      case verb::gather:
        return run_gather(options);
    }
  } catch (const early_exit& exit) {
    return exit.status;
  } catch (const nat::peer_io::setup_error& error) {
    std::cerr << "peer-cli: " << error.message << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "peer-cli: internal error: " << error.what() << '\n';
  }
  return 1;
}
