#pragma once

// What every connection's SSL_CTX is set to. Internal to protocol/dtls.

#include "protocol/dtls/handles.hpp"

namespace nat::dtls {

// Judges the peer's certificate by its fingerprint; the same object outlives the context.
struct expectation {
  fingerprint remote;
  bool mismatch = false;
};

[[nodiscard]] context_ptr make_context(const certificate& own, expectation& expected);

}  // namespace nat::dtls
