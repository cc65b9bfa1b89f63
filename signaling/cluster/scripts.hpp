#pragma once

// What servers that share a Redis keep there, and the Lua scripts by which they do so
// (SIGNALING.md, "More than one server"). Each script is one round trip, and nothing comes between.
//
//   sig:n:<node>     a server's lease: its epoch; expires unless it is refreshed
//   sig:p:<name>     a name's owner: "<node> <epoch> <generation> <loop> <slot> <hash of resume>";
//                    node "-": nobody's, held for who knows the secret until it expires
//   sig:g            the generation given last: never less than Redis' clock in µs, so that a Redis
//                    which has lost its memory gives none a second time
//   sig:node:<node>  channel: records for that server (record.hpp)

#include <cstdint>
#include <string>
#include <string_view>

namespace nat::cluster {

struct script {
  std::string text;
  std::string sha;  // for EVALSHA
};

// KEYS: the name's. ARGV: node, epoch, loop, slot, hash of a fresh secret, hash of the secret shown
// or "", name. {1, generation, "1" if the secret shown took it back} or {0} if it is taken. A
// server that loses its owner this way is told (record 'S').
[[nodiscard]] const script& claim_script();

// KEYS: for each message two, the target's name's and the sender's. ARGV: for each two, the record
// without its destination and the sender's generation. For each what became of it. Names of servers
// without a lease are deleted. A channel nobody listens to is offline.
[[nodiscard]] const script& route_script();
inline constexpr std::int64_t route_offline = 0, route_published = 1;
inline constexpr std::int64_t route_outdated = 2;  // the sender's name has a later owner, or had

// KEYS: the name's. ARGV: generation, how long to hold it in ms (0: not).
[[nodiscard]] const script& release_script();

// After Redis was away. KEYS: names'. ARGV: node, epoch, then for each name five: generation, loop,
// slot, hash, and "keep", "check", or how long to hold in ms what this node left there, which is
// freed where its hash is among those in `hash`, which nobody knows the secrets of. For each 1,
// or 0 where another connection has the name by now. What stands there under a later generation of
// this node is overwritten by "keep", as nobody heard of it, and counts for "check". A server that
// loses a name this way is told, as with a claim.
[[nodiscard]] const script& recover_script();

// As the scripts keep a resume secret.
[[nodiscard]] std::string hash_text(std::string_view secret);
[[nodiscard]] std::string lease_key(std::string_view node);
[[nodiscard]] std::string name_key(std::string_view name);
[[nodiscard]] std::string inbox_channel(std::string_view node);

}  // namespace nat::cluster
