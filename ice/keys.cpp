#include "ice/keys.hpp"

#include "protocol/base/ensure.hpp"

namespace nat::ice {

bool is_well_formed(const credentials& c) noexcept {
  return c.ufrag.size() >= 4 && c.ufrag.size() <= 256 && c.password.size() >= 22 &&
         c.password.size() <= 256;
}

key_ring::key_ring(credentials local) {
  ensure(is_well_formed(local));
  current_.local = std::move(local);
}

void key_ring::restart(credentials local, std::uint32_t in_use) {
  ensure(is_well_formed(local));
  const auto generation = current_.generation + 1;
  if (!previous_ || previous_->generation != in_use) previous_ = std::move(current_);
  current_ = {generation, std::move(local), std::nullopt, {}};
}

void key_ring::set_remote(credentials remote) {
  current_.username = remote.ufrag + ":" + current_.local.ufrag;
  current_.remote = std::move(remote);
}

const session_keys* key_ring::by_local_ufrag(std::string_view ufrag) const noexcept {
  if (ufrag == current_.local.ufrag) return &current_;
  if (previous_ && ufrag == previous_->local.ufrag) return &*previous_;
  return nullptr;
}

const session_keys* key_ring::of(std::uint32_t generation) const noexcept {
  if (generation == current_.generation) return &current_;
  if (previous_ && generation == previous_->generation) return &*previous_;
  return nullptr;
}

}  // namespace nat::ice
