#pragma once

// Owners of a C library's objects: std::unique_ptr<SSL, freed_by<SSL_free>>.

namespace nat {

template <auto free>
struct freed_by {
  template <class T>
  void operator()(T* object) const noexcept {
    free(object);
  }
};

}  // namespace nat
