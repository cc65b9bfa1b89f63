#include "signaling/io/redis_host.hpp"

#include <algorithm>
#include <utility>

namespace nat::signaling::io {

redis_host::redis_host(const cluster_url& url, look_up how)
    : name_(url.host), port_(url.port), look_up_(std::move(how)) {
  if (const auto literal = parse_address(name_)) {
    literal_ = true;
    addresses_ = {*literal};
  }
}

void redis_host::find(cluster::line which, told t) {
  const bool wanted = which == cluster::line::commands || addresses_.empty();
  if (wanted && !literal_ && !looking_) ask();
  if (!addresses_.empty()) return tell(which, t);
  waiting_[index(which)] = std::move(t);
}

void redis_host::ask() {
  looking_ = true;
  look_up_(name_, [this](const std::vector<address>& found, const std::string& reason) {
    looking_ = false;
    reason_ = reason;
    if (!found.empty()) addresses_ = found;
    for (const auto which : {cluster::line::commands, cluster::line::inbox}) {
      if (const auto t = std::exchange(waiting_[index(which)], nullptr)) tell(which, t);
    }
  });
}

void redis_host::tell(cluster::line which, const told& t) {
  if (which == cluster::line::commands || !current_) choose();
  t(std::expected(current_));  // a copy: telling may choose again
}

void redis_host::choose() {
  if (addresses_.empty()) {
    current_ = std::unexpected("\"" + name_ + "\" was not found (" + reason_ +
                               "): check --cluster, and this machine's DNS");
    return;
  }
  auto at = current_ ? std::ranges::find(addresses_, current_->ip) : addresses_.end();
  if (at != addresses_.end() && tried_) ++at;
  if (at == addresses_.end()) at = addresses_.begin();
  tried_ = true;
  current_ = endpoint{*at, port_};
}

}  // namespace nat::signaling::io
