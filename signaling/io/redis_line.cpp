#include "signaling/io/redis_line.hpp"

#include <hiredis/async.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace nat::signaling::io {

namespace {

cluster::reply reply_from(const redisReply& r) {
  using type = cluster::reply::type;
  cluster::reply out;
  switch (r.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      out.what = type::text;
      out.text.assign(r.str, static_cast<std::size_t>(r.len));
      break;
    case REDIS_REPLY_ERROR:
      out.what = type::error;
      out.text.assign(r.str, static_cast<std::size_t>(r.len));
      break;
    case REDIS_REPLY_INTEGER:
      out.what = type::integer;
      out.integer = r.integer;
      break;
    case REDIS_REPLY_ARRAY:
      out.what = type::array;
      out.items.reserve(r.elements);
      for (std::size_t i = 0; i < r.elements; ++i) out.items.push_back(reply_from(*r.element[i]));
      break;
    default:
      break;
  }
  return out;
}

}  // namespace

// What hiredis calls. A context that is not the line's any more is one that we let go of.
struct redis_line::hooks {
  static redis_line& of(void* line) { return *static_cast<redis_line*>(line); }

  static void read_on(void* line) { of(line).watch(of(line).wanted_ | EPOLLIN); }
  static void read_off(void* line) { of(line).watch(of(line).wanted_ & ~EPOLLIN); }
  static void write_on(void* line) { of(line).watch(of(line).wanted_ | EPOLLOUT); }
  static void write_off(void* line) { of(line).watch(of(line).wanted_ & ~EPOLLOUT); }
  // Before hiredis closes the descriptor.
  static void cleanup(void* line) {
    auto& l = of(line);
    if (l.watched_ >= 0) l.poller_.remove(std::exchange(l.watched_, -1));
    l.wanted_ = 0;
    if (l.context_ != nullptr) l.ended_ = true;
    l.context_ = nullptr;
  }
  static void connected(const redisAsyncContext* c, int status) {
    auto& l = of(c->data);
    if (c != l.context_ || status != REDIS_OK) return;
    const int on = 1;
    ::setsockopt(c->c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    l.connected_ = true;
    l.events_.connected();
  }
  static void replied(redisAsyncContext* c, void* reply, void*) {
    auto& l = of(c->data);
    if (c != l.context_ || reply == nullptr) return;
    l.events_.replied(reply_from(*static_cast<const redisReply*>(reply)));
  }
};

redis_line::redis_line(poller& p, const endpoint& server, line_events events)
    : poller_(p), server_(server), events_(std::move(events)) {}

redis_line::~redis_line() {
  disconnect();
}

void redis_line::watch(std::uint32_t events) {
  if (context_ == nullptr || events == wanted_) return;
  wanted_ = events;
  if (watched_ >= 0) return poller_.modify(watched_, events, *this);
  if (poller_.add(context_->c.fd, events, *this)) watched_ = context_->c.fd;
}

void redis_line::connect() {
  disconnect();
  context_ = ::redisAsyncConnect(to_string(server_.ip).c_str(), server_.port);
  if (context_ == nullptr || context_->err != 0) {
    if (auto* failed = std::exchange(context_, nullptr)) ::redisAsyncFree(failed);
    ended_ = true;
    return;
  }
  context_->data = this;
  context_->ev.data = this;
  context_->ev.addRead = hooks::read_on;
  context_->ev.delRead = hooks::read_off;
  context_->ev.addWrite = hooks::write_on;
  context_->ev.delWrite = hooks::write_off;
  context_->ev.cleanup = hooks::cleanup;
  ::redisAsyncSetConnectCallback(context_, hooks::connected);
}

void redis_line::disconnect() {
  connected_ = ended_ = false;
  if (auto* old = std::exchange(context_, nullptr)) ::redisAsyncFree(old);
}

void redis_line::send(const std::vector<std::string>& words) {
  if (context_ == nullptr) return;
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  texts.reserve(words.size());
  sizes.reserve(words.size());
  for (const auto& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  ::redisAsyncCommandArgv(context_, hooks::replied, nullptr, static_cast<int>(words.size()),
                          texts.data(), sizes.data());
}

void redis_line::flush() {
  if (connected_ && context_ != nullptr && (wanted_ & EPOLLOUT) != 0) {
    ::redisAsyncHandleWrite(context_);
  }
  told_of_end();
}

void redis_line::handle_ready(std::uint32_t events) {
  events_.before();
  if (context_ != nullptr && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    ::redisAsyncHandleRead(context_);
  }
  if (context_ != nullptr && (events & EPOLLOUT) != 0) ::redisAsyncHandleWrite(context_);
  told_of_end();
}

void redis_line::told_of_end() {
  if (!std::exchange(ended_, false)) return;
  connected_ = false;
  events_.disconnected();
}

}  // namespace nat::signaling::io
