#include "signaling/io/redis_reader.hpp"

#include <hiredis/read.h>

#include "protocol/base/ensure.hpp"

namespace nat::signaling::io {

namespace {

using cluster::reply;

// What hiredis builds replies by. Items live in their array, so that the whole is the root's.
struct builder {
  static void* made(const redisReadTask* task, reply&& what) {
    if (task->parent == nullptr) return new reply(std::move(what));
    auto& items = static_cast<reply*>(task->parent->obj)->items;
    auto& place = items[static_cast<std::size_t>(task->idx)];
    place = std::move(what);
    return &place;
  }
  static void* text(const redisReadTask* task, char* text, std::size_t size) {
    const bool error = task->type == REDIS_REPLY_ERROR;
    return made(task, {.what = error ? reply::type::error : reply::type::text,
                       .text = std::string(text, size)});
  }
  static void* array(const redisReadTask* task, int size) {
    const auto items = static_cast<std::size_t>(size);
    if (task->parent != nullptr || items > redis_reader::max_items) return nullptr;
    return made(task, {.what = reply::type::array, .items = std::vector<reply>(items)});
  }
  static void* integer(const redisReadTask* task, long long value) {
    return made(task, {.what = reply::type::integer, .integer = value});
  }
  static void* nil(const redisReadTask* task) { return made(task, {}); }
  static void release(void* root) { delete static_cast<reply*>(root); }
};

redisReplyObjectFunctions functions{.createString = builder::text,
                                    .createArray = builder::array,
                                    .createInteger = builder::integer,
                                    .createNil = builder::nil,
                                    .freeObject = builder::release};

}  // namespace

void redis_reader::free_reader::operator()(redisReader* r) const {
  ::redisReaderFree(r);
}

redis_reader::redis_reader() : reader_(::redisReaderCreateWithFunctions(&functions)) {
  ensure(reader_ != nullptr);
}

redis_reader::~redis_reader() = default;

std::expected<void, std::string> redis_reader::feed(
    std::string_view octets, const std::function<void(const cluster::reply&)>& tell) {
  unfinished_ += octets.size();
  int status = ::redisReaderFeed(reader_.get(), octets.data(), octets.size());
  while (status == REDIS_OK) {
    void* root = nullptr;
    status = ::redisReaderGetReply(reader_.get(), &root);
    if (root == nullptr) break;
    const std::unique_ptr<reply> whole(static_cast<reply*>(root));
    unfinished_ = reader_->len - reader_->pos;
    tell(*whole);
  }
  // An array that was refused reads as memory that could not be had.
  if (reader_->err == REDIS_ERR_OOM) return std::unexpected("an array that nobody asked for");
  if (status != REDIS_OK) return std::unexpected("a broken reply");
  if (unfinished_ > max_reply_bytes) return std::unexpected("a reply without an end");
  return {};
}

}  // namespace nat::signaling::io
