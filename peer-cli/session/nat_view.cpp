#include "peer-cli/session/nat_view.hpp"

#include <algorithm>

namespace nat::session {
namespace {

// The host's sockets stand behind one NAT: one that is mapped by destination speaks for all.
void add(nat_view& view, ice::mapping_kind kind) {
  using enum ice::mapping_kind;
  if (kind == dependent || view.mapping == unknown ||
      (kind == independent && view.mapping == none)) {
    view.mapping = kind;
  }
}

}  // namespace

std::vector<nat_view> view_nat(std::span<const ice::mapping_observation> all) {
  std::vector<nat_view> out;
  for (const bool v4 : {true, false}) {
    nat_view view{.v4 = v4, .mapping = ice::mapping_kind::unknown, .translated = {}};
    for (const auto& o : all) {
      if (o.base.ip.v4 != v4) continue;
      view.seen.push_back(o);
      view.translated = view.translated.value_or(false) || o.mapped != o.base;
      if (std::ranges::find(view.external, o.mapped.ip) == view.external.end()) {
        view.external.push_back(o.mapped.ip);
      }
      add(view, ice::classify_mapping(all, o.base));
    }
    if (!view.seen.empty()) out.push_back(std::move(view));
  }
  return out;
}

}  // namespace nat::session
