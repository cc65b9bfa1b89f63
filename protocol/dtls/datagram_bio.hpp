#pragma once

// The BIO between OpenSSL and our queues: it reads from the datagram being handled and writes
// straight into the batch that goes out. Internal to protocol/dtls.

#include <openssl/bio.h>

#include "protocol/dtls/batch.hpp"

namespace nat::dtls {

struct datagram_port {
  byte_view input;  // one datagram; empty once it was read
  batch_queue output;
  std::size_t mtu = 1'200;
};

// A BIO over `port`, which must stay where it is and outlive it.
[[nodiscard]] BIO* make_datagram_bio(datagram_port& port);

}  // namespace nat::dtls
