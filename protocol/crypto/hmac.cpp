#include "protocol/crypto/hmac.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "protocol/base/ensure.hpp"

namespace nat::crypto {
namespace {

// All three hashes work on blocks of 64 octets, which is what HMAC pads its key to.
constexpr std::size_t block_size = 64;

// One algorithm and one context, both kept for the life of the thread. HMAC is put together here
// from plain digests: EVP_MAC costs half as much again with a fresh key, and a fetch costs more
// than the hashing.
class hasher {
 public:
  explicit hasher(const char* algorithm)
      : algorithm_(EVP_MD_fetch(nullptr, algorithm, nullptr)), context_(EVP_MD_CTX_new()) {
    ensure(algorithm_ && context_);
    ensure(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1);
  }

  // No algorithm given: the context keeps the one it has, without looking it up.
  void begin() noexcept { ensure(EVP_DigestInit_ex2(context_.get(), nullptr, nullptr) == 1); }
  void add(byte_view part) noexcept {
    ensure(EVP_DigestUpdate(context_.get(), part.data(), part.size()) == 1);
  }
  template <class Digest>
  void end(Digest& out) noexcept {
    unsigned size = 0;
    ensure(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()),
                              &size) == 1);
    ensure(size == out.size());
  }

 private:
  struct release {
    void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD, release> algorithm_;
  std::unique_ptr<EVP_MD_CTX, release> context_;
};

hasher& sha1_hasher() {
  static thread_local hasher kept("SHA1");
  return kept;
}
hasher& sha256_hasher() {
  static thread_local hasher kept("SHA2-256");
  return kept;
}
hasher& md5_hasher() {
  static thread_local hasher kept("MD5");
  return kept;
}

template <class Digest>
Digest hash(hasher& with, std::initializer_list<byte_view> parts) noexcept {
  Digest out;
  with.begin();
  for (const auto part : parts) with.add(part);
  with.end(out);
  return out;
}

template <class Digest>
Digest hmac(hasher& with, byte_view key, std::initializer_list<byte_view> parts) noexcept {
  std::array<std::byte, block_size> pad{};
  if (key.size() > block_size) {
    std::ranges::copy(hash<Digest>(with, {key}), pad.begin());
  } else {
    std::ranges::copy(key, pad.begin());
  }
  for (auto& octet : pad) octet ^= std::byte{0x36};
  with.begin();
  with.add(pad);
  for (const auto part : parts) with.add(part);
  Digest out;
  with.end(out);
  for (auto& octet : pad) octet ^= std::byte{0x36 ^ 0x5c};
  with.begin();
  with.add(pad);
  with.add(out);
  with.end(out);
  OPENSSL_cleanse(pad.data(), pad.size());
  return out;
}

}  // namespace

sha1_digest hmac_sha1(byte_view key, std::initializer_list<byte_view> parts) noexcept {
  return hmac<sha1_digest>(sha1_hasher(), key, parts);
}

sha256_digest hmac_sha256(byte_view key, std::initializer_list<byte_view> parts) noexcept {
  return hmac<sha256_digest>(sha256_hasher(), key, parts);
}

sha1_digest sha1(std::initializer_list<byte_view> parts) noexcept {
  return hash<sha1_digest>(sha1_hasher(), parts);
}

sha256_digest sha256(std::initializer_list<byte_view> parts) noexcept {
  return hash<sha256_digest>(sha256_hasher(), parts);
}

md5_digest md5(std::initializer_list<byte_view> parts) noexcept {
  return hash<md5_digest>(md5_hasher(), parts);
}

bool equal_constant_time(byte_view a, byte_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace nat::crypto
