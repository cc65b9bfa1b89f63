#include "protocol/dtls/datagram_bio.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/base/ensure.hpp"
#include "protocol/dtls/handles.hpp"

namespace nat::dtls {
namespace {

datagram_port& port_of(BIO* bio) {
  return *static_cast<datagram_port*>(BIO_get_data(bio));
}

int write(BIO* bio, const char* data, int size) {
  // A full queue loses the datagram, as the network might.
  (void)port_of(bio).output.append(as_bytes({data, static_cast<std::size_t>(size)}));
  return size;
}

int read(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  const auto datagram = std::exchange(port_of(bio).input, {});
  if (datagram.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const auto count = std::min(datagram.size(), static_cast<std::size_t>(size));
  std::memcpy(out, datagram.data(), count);
  return static_cast<int>(count);
}

long control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return static_cast<long>(port_of(bio).mtu);
    default:
      return 0;
  }
}

const BIO_METHOD* method() {
  static const bio_method_ptr shared = [] {
    bio_method_ptr m{BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagram port")};
    ensure(m && BIO_meth_set_write(m.get(), write) == 1 && BIO_meth_set_read(m.get(), read) == 1 &&
           BIO_meth_set_ctrl(m.get(), control) == 1);
    return m;
  }();
  return shared.get();
}

}  // namespace

BIO* make_datagram_bio(datagram_port& port) {
  BIO* bio = BIO_new(method());
  ensure(bio != nullptr);
  BIO_set_data(bio, &port);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace nat::dtls
