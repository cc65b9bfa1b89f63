#include "signaling/io/redis_host.hpp"

#include <algorithm>
#include <utility>

namespace nat::signaling::io {

redis_host::redis_host(boost::asio::any_io_executor executor, const cluster_url& url)
    : executor_(std::move(executor)), name_(url.host), port_(url.port) {
  const auto literal = parse_address(name_);
  literal_ = literal.has_value();
  if (literal_) current_ = endpoint{*literal, port_};
}

void redis_host::find(cluster::line which, told t) {
  if (literal_) return t(current_);
  waiting_[index(which)] = std::move(t);
  if (lookup_) return;
  if (which == cluster::line::inbox && current_) return answer();
  lookup_.emplace(executor_, name_, [this](const auto& found, const std::string& reason) {
    lookup_.reset();
    take(found, reason);
    answer();
  });
}

void redis_host::take(const std::vector<address>& found, const std::string& reason) {
  if (!found.empty()) addresses_ = found;
  if (addresses_.empty()) {
    current_ = std::unexpected("\"" + name_ + "\" was not found (" + reason +
                               "): check --cluster, and this machine's DNS");
    return;
  }
  auto next = current_ ? std::ranges::find(addresses_, current_->ip) : addresses_.end();
  if (next == addresses_.end() || ++next == addresses_.end()) next = addresses_.begin();
  current_ = endpoint{*next, port_};
}

void redis_host::answer() {
  const auto found = current_;
  for (auto& each : waiting_) {
    if (const auto t = std::exchange(each, nullptr)) t(found);
  }
}

}  // namespace nat::signaling::io
