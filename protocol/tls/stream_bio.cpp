#include "protocol/tls/stream_bio.hpp"

#include <algorithm>
#include <cstring>

#include "protocol/base/ensure.hpp"
#include "protocol/tls/handles.hpp"

namespace nat::tls {

namespace {

stream_port& port_of(BIO* bio) {
  return *static_cast<stream_port*>(BIO_get_data(bio));
}

int write(BIO* bio, const char* data, int size) {
  auto* out = port_of(bio).output;
  ensure(out != nullptr);
  out->append(data, static_cast<std::size_t>(size));
  return size;
}

int read(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  auto& input = port_of(bio).input;
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const auto count = std::min(input.size(), static_cast<std::size_t>(size));
  std::memcpy(out, input.data(), count);
  input = input.subspan(count);
  return static_cast<int>(count);
}

long control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

const BIO_METHOD* method() {
  static const bio_method_ptr shared = [] {
    bio_method_ptr m{BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream port")};
    ensure(m && BIO_meth_set_write(m.get(), write) == 1 && BIO_meth_set_read(m.get(), read) == 1 &&
           BIO_meth_set_ctrl(m.get(), control) == 1);
    return m;
  }();
  return shared.get();
}

}  // namespace

BIO* make_stream_bio(stream_port& port) {
  BIO* bio = BIO_new(method());
  ensure(bio != nullptr);
  BIO_set_data(bio, &port);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace nat::tls
