#pragma once

// Replies of a Redis (RESP2) out of the octets of a connection, by hiredis' reader: any cut of the
// stream gives the same replies. Only what the cluster's commands are answered with is taken, so
// that whoever speaks for Redis can make it keep little: an array within an array, a longer one
// than max_items, and a reply of more than max_reply_bytes end the connection.

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "signaling/cluster/member.hpp"

struct redisReader;

namespace nat::signaling::io {

class redis_reader {
 public:
  static constexpr std::size_t max_items = 1024;  // of the scripts, recovery answers 256
  static constexpr std::size_t max_reply_bytes = 32U << 20;

  redis_reader();
  ~redis_reader();
  redis_reader(const redis_reader&) = delete;
  redis_reader& operator=(const redis_reader&) = delete;

  // Tells each reply that is whole by then. Otherwise what is wrong; it reads nothing any more.
  [[nodiscard]] std::expected<void, std::string> feed(
      std::string_view octets, const std::function<void(const cluster::reply&)>& tell);

 private:
  struct free_reader {
    void operator()(redisReader*) const;
  };
  std::unique_ptr<redisReader, free_reader> reader_;
  std::size_t unfinished_ = 0;  // octets since the last whole reply
};

}  // namespace nat::signaling::io
