#pragma once

// The relayed addresses of all event loops. Data from one client's relayed address to another's
// stays inside where one loop has both; where not, it goes by the kernel, and this tells that it is
// a relayed address and no other program of this machine. Behind a 1:1 NAT, which need not send
// anything back in, it also tells what stands for what clients were told.

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_map>

#include "protocol/base/endpoint.hpp"

namespace nat::signaling::io {

class relayed_ports {
 public:
  void add(const endpoint& bound, const endpoint& announced) {
    const std::lock_guard hold(lock_);
    bound_[announced] = bound;
    announced_[bound] = announced;
  }
  void remove(const endpoint& bound) {
    const std::lock_guard hold(lock_);
    const auto at = announced_.find(bound);
    if (at == announced_.end()) return;
    bound_.erase(at->second);
    announced_.erase(at);
  }
  [[nodiscard]] std::optional<endpoint> bound(const endpoint& announced) const {
    return find(bound_, announced);
  }
  [[nodiscard]] std::optional<endpoint> announced(const endpoint& bound) const {
    return find(announced_, bound);
  }

 private:
  using table = std::unordered_map<endpoint, endpoint>;

  [[nodiscard]] std::optional<endpoint> find(const table& in, const endpoint& e) const {
    const std::shared_lock hold(lock_);
    const auto at = in.find(e);
    return at == in.end() ? std::nullopt : std::optional(at->second);
  }

  mutable std::shared_mutex lock_;
  table bound_, announced_;  // by the other
};

}  // namespace nat::signaling::io
