#include "stun/io/name_lookup.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/post.hpp>

namespace nat::stun::io {
namespace {

std::vector<address> addresses_of(const std::string& host, std::string& reason) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_DGRAM;  // each address once
  wanted.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &wanted, &list);
  if (failed != 0) {
    reason = ::gai_strerror(failed);
    return {};
  }
  std::vector<address> found;
  for (const auto* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET) {
      const auto* const v4 = reinterpret_cast<const sockaddr_in*>(entry->ai_addr);
      found.push_back(make_v4(ntohl(v4->sin_addr.s_addr)));
    } else if (entry->ai_family == AF_INET6) {
      const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(entry->ai_addr);
      found.push_back(make_v6(std::as_bytes(std::span(v6->sin6_addr.s6_addr))));
    }
  }
  ::freeaddrinfo(list);
  if (found.empty()) reason = "it has no address";
  return found;
}

}  // namespace

struct name_lookup::state {
  std::mutex guard;  // of `wanted`: the loop may go while the thread is about to post
  bool wanted = true;
  boost::asio::any_io_executor executor;
  result on_result;
};

name_lookup::name_lookup(boost::asio::any_io_executor executor, const std::string& host,
                         result on_result)
    : state_(std::make_shared<state>()) {
  state_->executor = std::move(executor);
  state_->on_result = std::move(on_result);
  try {
    std::thread([shared = state_, host] {
      std::string reason;
      auto found = addresses_of(host, reason);
      tell(shared, std::move(found), std::move(reason));
    }).detach();
  } catch (const std::system_error& wrong) {
    tell(state_, {}, std::string("no thread for it: ") + wrong.what());
  }
}

void name_lookup::tell(const std::shared_ptr<state>& shared, std::vector<address> found,
                       std::string reason) {
  const std::lock_guard lock(shared->guard);
  if (!shared->wanted) return;
  boost::asio::post(shared->executor, [weak = std::weak_ptr(shared), found = std::move(found),
                                       reason = std::move(reason)] {
    const auto alive = weak.lock();
    if (alive && alive->wanted) std::exchange(alive->on_result, nullptr)(found, reason);
  });
}

name_lookup::~name_lookup() {
  const std::lock_guard lock(state_->guard);
  state_->wanted = false;
  state_->executor = {};
}

}  // namespace nat::stun::io
