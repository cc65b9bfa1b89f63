#pragma once

// The names of one machine and who owns them. A name belongs to whoever registered it first until
// that connection ends; after an unclean end it is held for its owner. Every live name belongs to
// one connection, so their number is bounded by that of connections; held ones by max_held_names,
// and for one IPv4 address or IPv6 /64 by max_held_names_per_address, so that nobody who comes and
// goes fast pushes out what is held for others.

#include <functional>
#include <list>
#include <optional>
#include <unordered_map>

#include "protocol/base/random.hpp"
#include "protocol/crypto/hmac.hpp"
#include "signaling/hub/admission.hpp"
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
  void release(std::string_view name, std::uint64_t generation, ending, const address& from,
               time_point now) override;

  [[nodiscard]] std::size_t live() const noexcept { return live_; }
  [[nodiscard]] std::size_t held() const noexcept { return names_.size() - live_; }

 private:
  struct held_name;
  using held_list = std::list<held_name>;            // oldest first: all are held equally long
  using site_list = std::list<held_list::iterator>;  // those of one site
  struct held_name {
    const std::string* name;  // the key in names_
    time_point until;
    address site;
    site_list::iterator at_site;
  };
  struct entry {
    owner who;
    crypto::sha256_digest resume_hash{};
    std::optional<held_list::iterator> held{};  // nullopt: live
  };
  void revive(entry&, const owner&);
  void unlist(held_list::iterator);
  void forget(held_list::iterator);
  void forget_overdue(time_point now);

  std::chrono::milliseconds resume_window_;
  std::size_t max_held_names_, max_held_per_site_;
  random_source& random_;
  std::unordered_map<std::string, entry, keyed_hash, std::equal_to<>> names_;
  held_list held_;
  std::unordered_map<address, site_list, address_hash> sites_;
  std::uint64_t generation_ = 0;
  std::size_t live_ = 0;
};

}  // namespace nat::hub
