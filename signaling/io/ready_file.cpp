#include "signaling/io/ready_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

namespace {

// Addresses need no escapes.
std::string list(const std::vector<endpoint>& all, std::string_view scheme) {
  std::string out;
  for (const auto& e : all) {
    out += out.empty() ? "\"" : ",\"";
    out += scheme;
    out += to_string(e) + '"';
  }
  return '[' + out + ']';
}

}  // namespace

std::string to_json(const server_addresses& a) {
  auto out = "{\"websocket\":" + list(a.websocket, a.scheme()) + ",\"stun\":" + list(a.stun, "");
  if (!a.stun_alternate.empty()) out += ",\"stun_alternate\":" + list(a.stun_alternate, "");
  if (a.admin) out += ",\"admin\":\"" + to_string(*a.admin) + '"';
  return out + '}';
}

void write_ready_file(const std::string& file, const server_addresses& a) {
  const auto unfinished = file + '.' + std::to_string(::getpid());
  std::ofstream out(unfinished, std::ios::binary);
  out << to_json(a) << '\n';
  out.close();
  if (!out || std::rename(unfinished.c_str(), file.c_str()) != 0) {
    const auto why = std::string(std::strerror(errno));
    std::remove(unfinished.c_str());
    throw startup_error{"failed to write --ready-file " + file + ": " + why};
  }
}

}  // namespace nat::signaling::io
