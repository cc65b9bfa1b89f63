#pragma once

// The BIO between OpenSSL and the caller: it reads from the octets that a read gave and appends to
// what is to be sent. Internal to protocol/tls.

#include <openssl/bio.h>

#include <string>

#include "protocol/base/bytes.hpp"

namespace nat::tls {

struct stream_port {
  byte_view input;                // what was not read yet
  std::string* output = nullptr;  // set while OpenSSL may write
};

// A BIO over `port`, which must stay where it is and outlive it.
[[nodiscard]] BIO* make_stream_bio(stream_port& port);

}  // namespace nat::tls
