// A cluster's member under any replies, publications, ends of connections and passing of time: it
// speaks on connections that are there only, and whoever asked for a name is answered once.

#include <map>

#include "protocol/base/ensure.hpp"
#include "signaling/cluster/member.hpp"
#include "tests/fuzz/input.hpp"

using namespace nat;
using cluster::line;
using cluster::reply;
using hub::envelope;

namespace {

std::string text_of(fuzz::input& in) {
  const auto octets = in.some();
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

reply leaf(fuzz::input& in) {
  switch (in.below(4)) {
    case 0:
      return {.what = reply::type::text, .text = text_of(in)};
    case 1:
      return {.what = reply::type::integer, .integer = in.octet() - 2};
    case 2:
      return {.what = reply::type::text, .text = std::to_string(in.word())};
    default:
      return {};
  }
}

reply array_of(const char* kind, std::string what) {
  return {.what = reply::type::array,
          .items = {{.what = reply::type::text, .text = kind},
                    {.what = reply::type::text, .text = "inbox"},
                    {.what = reply::type::text, .text = std::move(what)}}};
}

reply any(fuzz::input& in) {
  switch (in.below(8)) {
    case 0:
      return {.what = reply::type::error, .text = text_of(in)};
    case 1:
      return array_of("subscribe", "1");
    case 2:
      return array_of("message", text_of(in));
    case 3: {  // a grant
      reply r{.what = reply::type::array, .items = {{.what = reply::type::integer, .integer = 1}}};
      r.items.push_back({.what = reply::type::text, .text = std::to_string(in.word())});
      r.items.push_back({.what = reply::type::text, .text = in.below(2) == 0 ? "0" : "1"});
      return r;
    }
    case 4: {
      reply r{.what = reply::type::array};
      for (auto n = in.below(6); n > 0; --n) r.items.push_back(leaf(in));
      return r;
    }
    default:
      return leaf(in);
  }
}

class world {
 public:
  world() {
    part_.start(now_);
    settle();
  }

  void act(fuzz::input& in) {
    const auto where = in.below(2) == 0 ? line::commands : line::inbox;
    const std::string name(1, static_cast<char>('a' + in.below(4)));
    switch (in.below(8)) {
      case 0:
        if (open_[where] && !connected_[where]) {
          connected_[where] = true;
          part_.handle_connected(where, now_);
        }
        break;
      case 1:
        if (open_[where]) {
          open_[where] = connected_[where] = false;
          part_.handle_disconnected(where, "ended", now_);
        }
        break;
      case 2:
        now_ += in.wait();
        part_.handle_timeout(now_);
        break;
      case 3:
        ++waiting_[++ticket_];
        ask({.what = envelope::type::claim,
             .to = {.loop = hub::cluster_place},
             .from = {0, in.below(4), ticket_},
             .target = name,
             .text = text_of(in)});
        break;
      case 4:
        ask({.what = envelope::type::deliver,
             .to = {.loop = hub::cluster_place},
             .from = {0, in.below(4), in.octet()},
             .request = static_cast<hub::request_type>(in.below(hub::request_types)),
             .target = name,
             .text = text_of(in)});
        break;
      case 5:
        ask({.what = in.below(2) == 0 ? envelope::type::left : envelope::type::held,
             .to = {.loop = hub::cluster_place},
             .from = {0, 0, in.word()},
             .target = name});
        break;
      default:
        if (connected_[where]) part_.handle_reply(where, any(in), now_);
    }
    settle();
  }

  // Whoever still waits is told once the connections end.
  void finish() {
    for (const auto where : {line::commands, line::inbox}) {
      if (open_[where]) part_.handle_disconnected(where, "ended", now_);
      open_[where] = connected_[where] = false;
      settle();
    }
    for (const auto& [ticket, count] : waiting_) ensure(count == 0);
  }

 private:
  void ask(envelope e) { part_.handle_envelope(std::move(e), now_); }

  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      while (const auto a = part_.poll_action(now_)) {
        busy = true;
        if (a->what == cluster::action::type::send) {
          ensure(connected_[a->where] && !a->words.empty());
          continue;
        }
        open_[a->where] = a->what == cluster::action::type::connect;
        connected_[a->where] = false;
      }
      while (const auto e = part_.poll_envelope()) {
        busy = true;
        answered(*e);
      }
    }
    ensure(part_.names() <= 4);
    ensure(part_.next_timeout().has_value());
  }

  void answered(const envelope& e) {
    using type = envelope::type;
    const bool claim = e.what == type::claimed || e.what == type::taken ||
                       (e.what == type::unavailable && e.request == hub::request_type::register_);
    // A message may be called a registration here; its generation is no ticket.
    if (!claim || !waiting_.contains(e.to.generation)) return;
    ensure(--waiting_[e.to.generation] == 0);
  }

  fuzz::counting_random random_;
  hub::fence fence_;
  cluster::member part_{{.node = "node", .password = "secret"}, fence_, random_};
  time_point now_{std::chrono::hours{1}};
  std::map<line, bool> open_, connected_;
  std::uint64_t ticket_ = 1'000'000;
  std::map<std::uint64_t, int> waiting_;  // by ticket: answers that are due
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  world w;
  while (!in.empty()) w.act(in);
  w.finish();
  return 0;
}
