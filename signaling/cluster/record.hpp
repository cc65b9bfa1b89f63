#pragma once

// What servers of a cluster publish to each other. A publication holds any number of records,
// "<octets>:<record>" each; a record is a letter and its fields, one blank between:
//
//   D <generation> <loop> <slot> <id> <node> <loop> <slot> <generation> <request> <target>
//   <message>
//       deliver: first the destination, put there by the route script, then message id and source
//   A <id>                                                     delivered
//   N <id> <loop> <slot> <generation> <request> <target>       not there (any more)
//   B …                                                        its queue is full
//   S <generation> <loop> <slot> <name>                        the connection has lost its name
//   P                                                          the sender's own, to hear itself
//
// Whoever can publish is trusted with what is delivered, not with memory: what does not read so is
// dropped, and its publication with it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "signaling/hub/exchange.hpp"

namespace nat::cluster {

struct record {
  char what = 0;
  hub::owner to, from;   // cluster_place in from.loop; the source stands in `origin`
  std::uint64_t id = 0;  // A, N, B
  hub::request_type request{};
  std::string_view target{}, text{};  // of the publication
  std::string node{};                 // D: the source's server
  std::string origin{};               // D: "<node> <id> <loop> <slot> <generation>"
};

// False: something in it was no record; those before it have been told.
bool read_records(std::string_view publication, const std::function<void(const record&)>& tell);

void append_record(std::string& publication, std::string_view body);
// What the route script is given: D without its destination.
[[nodiscard]] std::string route_record(std::uint64_t id, std::string_view node,
                                       const hub::owner& from, hub::request_type,
                                       std::string_view target, std::string_view message);

// An answer to what came with `origin`: the node that it is for, and the body. nullopt: no origin.
struct answer {
  std::string node, body;
};
[[nodiscard]] std::optional<answer> answer_to(const hub::envelope&);

}  // namespace nat::cluster
