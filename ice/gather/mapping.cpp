#include "ice/gather/mapping.hpp"

namespace nat::ice {

mapping_kind classify_mapping(std::span<const mapping_observation> all,
                              const endpoint& base) noexcept {
  const mapping_observation* first = nullptr;
  bool compared = false;
  for (const auto& o : all) {
    if (o.base != base) continue;
    if (first == nullptr) {
      first = &o;
      continue;
    }
    compared = true;
    if (o.mapped != first->mapped) return mapping_kind::dependent;
  }
  if (first == nullptr) return mapping_kind::unknown;
  if (first->mapped == base) return mapping_kind::none;
  return compared ? mapping_kind::independent : mapping_kind::unknown;
}

std::string_view to_string(mapping_kind kind) noexcept {
  switch (kind) {
    case mapping_kind::unknown:
      return "unknown";
    case mapping_kind::none:
      return "none";
    case mapping_kind::independent:
      return "endpoint-independent";
    case mapping_kind::dependent:
      return "address-dependent";
  }
  return "unknown";
}

}  // namespace nat::ice
