// What servers of a cluster publish to each other: what is read stays inside its limits and, put
// together again, reads the same; an answer to a delivery is itself a record.

#include "protocol/base/ensure.hpp"
#include "signaling/cluster/record.hpp"

using namespace nat;
using cluster::record;

namespace {

std::string numbers(std::initializer_list<std::uint64_t> all) {
  std::string out;
  for (const auto n : all) out += ' ' + std::to_string(n);
  return out;
}

std::string body_of(const record& r) {
  const auto to = r.what == 'N' || r.what == 'B'
                      ? numbers({r.id, r.to.loop, r.to.slot, r.to.generation})
                      : numbers({r.to.generation, r.to.loop, r.to.slot});
  const auto request = std::to_string(static_cast<unsigned>(r.request));
  const std::string what(1, r.what), target(r.target);
  if (r.what == 'P') return what;
  if (r.what == 'A') return what + numbers({r.id});
  if (r.what == 'S') return what + to + ' ' + target;
  if (r.what != 'D') return what + to + ' ' + request + ' ' + target;
  const auto source = r.origin.substr(r.origin.find(' ', r.node.size() + 1));
  return what + to + numbers({r.id}) + ' ' + r.node + source + ' ' + request + ' ' + target + ' ' +
         std::string(r.text);
}

void read_one(const std::string& text, const std::function<void(const record&)>& tell) {
  int count = 0;
  ensure(cluster::read_records(text, [&](const record& r) {
    ++count;
    tell(r);
  }));
  ensure(count == 1);
}

void check_answer(const record& r) {
  for (const auto what :
       {hub::envelope::type::accepted, hub::envelope::type::not_found, hub::envelope::type::busy}) {
    const auto a = cluster::answer_to({.what = what,
                                       .to = {},
                                       .from = {},
                                       .request = r.request,
                                       .target = std::string(r.target),
                                       .origin = r.origin});
    ensure(a && a->node == r.node);
    std::string publication;
    cluster::append_record(publication, a->body);
    read_one(publication, [&](const record& back) { ensure(back.id == r.id); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)cluster::read_records(text, [](const record& r) {
    ensure(r.target.size() <= 64 && r.node.size() <= 64);
    ensure(static_cast<std::size_t>(r.request) < hub::request_types);
    std::string again;
    cluster::append_record(again, body_of(r));
    read_one(again, [&](const record& b) {
      ensure(b.what == r.what && b.to == r.to && b.id == r.id && b.request == r.request);
      ensure(b.target == r.target && b.text == r.text && b.node == r.node && b.origin == r.origin);
    });
    if (r.what == 'D') check_answer(r);
  });
  return 0;
}
