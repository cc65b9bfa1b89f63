#include "ice/portmap/epoch.hpp"

#include <utility>

namespace nat::portmap {

bool epoch_watch::restarted(std::uint32_t epoch, time_point now) noexcept {
  const auto before = std::exchange(last_, sample{epoch, now});
  if (!before) return false;
  // Datagrams overtake each other: a second back is no restart.
  if (std::int64_t{epoch} + 1 < std::int64_t{before->server}) return true;
  const auto ours = std::chrono::duration_cast<std::chrono::seconds>(now - before->ours).count();
  const auto theirs = std::int64_t{epoch} - std::int64_t{before->server};
  return ours + 2 < theirs - theirs / 16 || theirs + 2 < ours - ours / 16;
}

}  // namespace nat::portmap
