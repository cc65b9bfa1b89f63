#include "signaling/io/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

std::string content_of(const char* option, const std::string& file) {
  errno = 0;
  try {
    if (std::ifstream in(file, std::ios::binary); in) {
      return {std::istreambuf_iterator<char>(in), {}};
    }
  } catch (const std::ios_base::failure&) {  // a folder opens like a file, and fails here
  }
  throw startup_error{std::string("failed to read ") + option + ' ' + file + ": " +
                      std::strerror(errno)};
}

}  // namespace nat::signaling::io
