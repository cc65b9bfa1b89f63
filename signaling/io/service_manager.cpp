#include "signaling/io/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

namespace {

// Best effort, as for whoever calls sd_notify: the service goes on without.
void tell(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un to{};
  if (!path || (*path != '/' && *path != '@') || std::strlen(path) >= sizeof to.sun_path) return;
  to.sun_family = AF_UNIX;
  std::strcpy(to.sun_path, path);
  const auto size = offsetof(sockaddr_un, sun_path) + std::strlen(path);
  if (*path == '@') to.sun_path[0] = '\0';  // an abstract one
  const socket_handle s(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  (void)!::sendto(s.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                  reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(size));
}

}  // namespace

void tell_ready(std::string_view status) {
  tell("READY=1\nSTATUS=" + std::string(status));
}

// Type=notify-reload compares that time, of CLOCK_MONOTONIC, with the one of its request.
void tell_reloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  tell("RELOADING=1\nMONOTONIC_USEC=" +
       std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

void tell_stopping() {
  tell("STOPPING=1");
}

}  // namespace nat::signaling::io
