// Sequences of what clients may do to the hub, over two event loops: lines of text, of which the
// first character chooses the client and the second the deed. Whatever comes, outputs name clients
// that exist, nothing is sent to a client after its close, queues keep their limit, and texts for
// clients are JSON.

#include <array>
#include <memory>
#include <string>

#include "protocol/base/ensure.hpp"
#include "protocol/base/random.hpp"
#include "signaling/hub/exchange.hpp"
#include "signaling/hub/json_scanner.hpp"
#include "signaling/hub/registry.hpp"

using namespace nat;
using namespace std::chrono_literals;

namespace {

class counting_random final : public random_source {
 public:
  void fill(byte_span out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(next_++ % 64);
  }

 private:
  unsigned next_ = 0;
};

constexpr std::size_t queue_limit = 4096;

class world {
 public:
  world() : names_(limits_, random_) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      loops_[i] = std::make_unique<hub::exchange>(i, limits_, plan_, names_, guessers_);
    }
  }

  void line(std::string_view text) {
    if (text.size() < 2) return;
    const auto who = static_cast<unsigned char>(text[0]) % clients_.size();
    auto& c = clients_[who];
    c.loop = who % 2;
    if (!c.connected) {
      c.slot = loops_[c.loop]->connect({make_v4(1), make_v4(2), now_}, now_);
      c = {c.loop, c.slot, 0, true};
      settle();
      if (!c.connected) return;
    }
    act(c, text[1], text.substr(2));
    settle();
  }

  void finish() {
    for (auto& c : clients_) {
      if (c.connected) loops_[c.loop]->handle_closed(c.slot, hub::ending::clean, now_);
    }
    ensure(loops_[0]->stats().connections + loops_[1]->stats().connections == 0);
    ensure(names_.live() == 0);
  }

 private:
  struct client {
    std::uint32_t loop = 0, slot = 0;
    std::size_t waiting = 0;
    bool connected = false;
  };

  void act(client& c, char deed, std::string_view rest) {
    auto& x = *loops_[c.loop];
    switch (deed) {
      case 'b':
        return x.handle_binary(c.slot, rest.size(), now_);
      case 'c':
        return x.handle_control(c.slot, now_);
      case 'l':
        return x.handle_too_large(c.slot, now_);
      case 'v':
        return x.handle_violation(c.slot, websocket::close_code::protocol_error, "why", now_);
      case 'e':
      case 'u':
        c.connected = false;
        return x.handle_closed(c.slot, deed == 'e' ? hub::ending::clean : hub::ending::unclean,
                               now_);
      case 'r':
        return x.handle_written(c.slot, c.waiting, 0), c.waiting = 0, void();
      case 't':
        now_ += 7s;
        loops_[0]->handle_timeout(now_);
        return loops_[1]->handle_timeout(now_);
      case 'd':
        return x.drain(now_);
      default:
        return x.handle_text(c.slot, rest, now_);
    }
  }

  client& at(std::uint32_t loop, std::uint32_t slot) {
    for (auto& c : clients_) {
      if (c.connected && c.loop == loop && c.slot == slot) return c;
    }
    ensure(false);
    return clients_[0];
  }

  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (std::uint32_t i = 0; i < 2; ++i) {
        while (const auto o = loops_[i]->poll_output()) take(i, *o), busy = true;
        while (const auto e = loops_[i]->poll_envelope()) {
          loops_[e->to.loop]->handle_envelope(*e, now_);
          busy = true;
        }
      }
    }
  }

  void take(std::uint32_t loop, const hub::output& o) {
    auto& c = at(loop, o.slot);
    if (o.what == hub::output::type::text) {
      hub::json_scanner scanner(o.payload);
      while (scanner.next()) {
      }
      ensure(scanner.complete());
      c.waiting += o.payload.size();
      ensure(c.waiting <= queue_limit);
    } else if (o.what != hub::output::type::ping) {
      c.connected = false;
      loops_[loop]->handle_closed(o.slot, hub::ending::unclean, now_);
    }
  }

  hub::limits limits_{
      .messages_per_second = 2, .send_queue_bytes = queue_limit, .max_held_names = 3};
  hub::announcement plan_;
  counting_random random_;
  hub::registry names_;
  hub::penalties guessers_{random_};
  std::array<std::unique_ptr<hub::exchange>, 2> loops_;
  std::array<client, 5> clients_;
  time_point now_{1h};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  world w;
  while (!text.empty()) {
    const auto end = text.find('\n');
    w.line(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  w.finish();
  return 0;
}
