#pragma once

// Where a name's owner is: what the hubs of all event loops share. Pure code sees this interface;
// one loop may use a registry directly, several use one behind a lock.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/endpoint.hpp"
#include "protocol/base/time.hpp"

namespace nat::hub {

// A connection that owns, or owned, a name. The generation is never used twice and fences: what is
// addressed to one generation reaches no other.
struct owner {
  std::uint32_t loop = 0, slot = 0;
  std::uint64_t generation = 0;
  bool operator==(const owner&) const = default;
};

struct claimed {
  std::uint64_t generation = 0;
  std::string resume;               // what takes the name back
  std::optional<owner> superseded;  // to be closed: it has lost the name already
};
enum class claim_error : std::uint8_t { taken };

// Stands for a loop where something is for, or comes from, another server of the cluster.
inline constexpr std::uint32_t cluster_place = UINT32_MAX;

enum class ending : std::uint8_t { clean, unclean };

class directory {
 public:
  virtual ~directory() = default;

  // `by` names the place; its generation is ignored and a fresh one given.
  [[nodiscard]] virtual std::expected<claimed, claim_error> claim(
      std::string_view name, const std::optional<std::string>& resume, const owner& by,
      time_point now) = 0;

  // Enters what a cluster has granted, under the cluster's generation. What it supersedes here, if
  // anything; an error if a later generation has been entered meanwhile.
  [[nodiscard]] virtual std::expected<std::optional<owner>, claim_error> adopt(
      std::string_view name, const owner& granted) = 0;

  struct route {
    bool sender_owns = false;  // false: another connection has taken the sender's name over
    std::optional<owner> target;
  };
  [[nodiscard]] virtual route find(std::string_view target, std::string_view sender,
                                   std::uint64_t sender_generation) = 0;

  // Frees the name, or holds it for whoever knows the resume secret; nothing where the generation
  // is not the name's any more. What is held counts for the address of the connection that had it.
  virtual void release(std::string_view name, std::uint64_t generation, ending, const address& from,
                       time_point now) = 0;
};

}  // namespace nat::hub
