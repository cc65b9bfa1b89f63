#pragma once

// The names of one machine and who owns them. A name belongs to whoever registered it first until
// that connection ends; after an unclean end it is held for its owner. Every live name belongs to
// one connection, so their number is bounded by that of connections; held ones by max_held_names.

#include <deque>
#include <functional>
#include <unordered_map>

#include "protocol/base/random.hpp"
#include "protocol/crypto/hmac.hpp"
#include "signaling/hub/directory.hpp"
#include "signaling/hub/keyed_hash.hpp"
#include "signaling/hub/limits.hpp"

namespace nat::hub {

class registry final : public directory {
 public:
  registry(const limits&, random_source&);

  std::expected<claimed, claim_error> claim(std::string_view name,
                                            const std::optional<std::string>& resume,
                                            const owner& by, time_point now) override;
  std::expected<std::optional<owner>, claim_error> adopt(std::string_view name,
                                                         const owner& granted) override;
  route find(std::string_view target, std::string_view sender,
             std::uint64_t sender_generation) override;
  void release(std::string_view name, std::uint64_t generation, ending, time_point now) override;

  [[nodiscard]] std::size_t live() const noexcept { return live_; }
  [[nodiscard]] std::size_t held() const noexcept { return names_.size() - live_; }

 private:
  struct entry {
    owner who;
    crypto::sha256_digest resume_hash{};
    bool live = true;
  };
  struct held_name {
    std::string name;
    std::uint64_t generation;
    time_point until;
  };
  void forget_held(time_point now);
  void bound_held();

  std::chrono::milliseconds resume_window_;
  std::size_t max_held_names_;
  random_source& random_;
  std::unordered_map<std::string, entry, keyed_hash, std::equal_to<>> names_;
  std::deque<held_name> held_;  // in the order of their ends: all are held equally long
  std::uint64_t generation_ = 0;
  std::size_t live_ = 0;
};

}  // namespace nat::hub
