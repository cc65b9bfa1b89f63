// What the values are called, in the words of RFC 4787 and RFC 3489.

#include "stun/behavior/verdict.hpp"

namespace nat::behavior {

std::string_view classic_name(const verdict& v) noexcept {
  if (v.udp_blocked) return "udp blocked";
  if (!v.udp || !v.translated) return "unknown";
  if (!*v.translated) {
    return v.filtering == dependence::unknown    ? "unknown"
           : v.filtering == dependence::endpoint ? "open internet"
                                                 : "symmetric firewall";
  }
  if (v.mapping_depends) return "symmetric";
  if (v.mapping == dependence::unknown) return "unknown";
  switch (v.filtering) {
    case dependence::unknown:
      break;
    case dependence::endpoint:
      return "full cone";
    case dependence::address:
      return "restricted cone";
    case dependence::address_and_port:
      return "port-restricted cone";
  }
  return "unknown";
}

std::string_view to_string(dependence what) noexcept {
  switch (what) {
    case dependence::unknown:
      break;
    case dependence::endpoint:
      return "endpoint-independent";
    case dependence::address:
      return "address-dependent";
    case dependence::address_and_port:
      return "address-and-port-dependent";
  }
  return "unknown";
}

std::string_view to_string(pooling what) noexcept {
  switch (what) {
    case pooling::unknown:
      break;
    case pooling::paired:
      return "paired";
    case pooling::arbitrary:
      return "arbitrary";
  }
  return "unknown";
}

std::string_view to_string(layers what) noexcept {
  switch (what) {
    case layers::unknown:
      break;
    case layers::one:
      return "one";
    case layers::doubled:
      return "double";
    case layers::carrier_grade:
      return "carrier-grade";
  }
  return "unknown";
}

std::string_view to_string(purpose what) noexcept {
  switch (what) {
    case purpose::mapping:
      return "mapping";
    case purpose::filtering:
      return "filtering";
    case purpose::ports:
      return "port-allocation";
    case purpose::hairpin:
      return "hairpin";
    case purpose::fragments:
      return "fragments";
    case purpose::lifetime:
      return "lifetime";
  }
  return "unknown";
}

std::string_view to_string(outcome what) noexcept {
  switch (what) {
    case outcome::pending:
      return "pending";
    case outcome::answered:
      return "answered";
    case outcome::refused:
      return "refused";
    case outcome::silent:
      break;
  }
  return "silent";
}

}  // namespace nat::behavior
