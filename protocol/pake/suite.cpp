#include "protocol/pake/suite.hpp"

#include <sodium.h>

#include "protocol/base/ensure.hpp"

namespace nat::pake {
namespace {

constexpr std::string_view generator_label = "CPaceRistretto255";
constexpr std::string_view key_label = "CPaceRistretto255_ISK";
constexpr std::string_view mac_label = "CPaceMac";
constexpr std::size_t hash_block_size = 128;  // of SHA-512's input

unsigned char* out_of(byte_span octets) {
  return reinterpret_cast<unsigned char*>(octets.data());
}
const unsigned char* raw(byte_view octets) {
  return reinterpret_cast<const unsigned char*>(octets.data());
}

void ready() {
  static const bool initialised = sodium_init() >= 0;
  ensure(initialised);
}

void append_length(bytes& out, std::size_t length) {
  for (; length >= 128; length >>= 7) out.push_back(static_cast<std::byte>(length | 128U));
  out.push_back(static_cast<std::byte>(length));
}

hash sha512(std::initializer_list<byte_view> parts) {
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  for (const auto part : parts) crypto_hash_sha512_update(&state, raw(part), part.size());
  hash out;
  crypto_hash_sha512_final(&state, out_of(out));
  sodium_memzero(&state, sizeof state);
  return out;
}

}  // namespace

bytes lv_cat(std::initializer_list<byte_view> parts) {
  bytes out;
  for (const auto part : parts) {
    append_length(out, part.size());
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

element generator(byte_view password, byte_view channel, byte_view session) {
  ready();
  // The padding makes label and password fill the hash's first block, so that hashing the rest
  // takes a time that tells nothing of the password.
  const auto ahead = lv_cat({as_bytes(generator_label)}).size() + lv_cat({password}).size() + 1;
  const bytes padding(ahead < hash_block_size ? hash_block_size - ahead : 0);
  auto input = lv_cat({as_bytes(generator_label), password, padding, channel, session});
  auto hashed = sha512({input});
  element out;
  ensure(crypto_core_ristretto255_from_hash(out_of(out), raw(hashed)) == 0);
  wipe(input);
  wipe(hashed);
  return out;
}

std::optional<element> multiply(const scalar& by, const element& point) {
  element out;
  if (crypto_scalarmult_ristretto255(out_of(out), raw(by), raw(point)) != 0) {
    return std::nullopt;
  }
  return out;
}

hash session_key(byte_view session, const element& shared, byte_view transcript) {
  auto head = lv_cat({as_bytes(key_label), session, shared});
  const auto out = sha512({head, transcript});
  wipe(head);
  return out;
}

hash confirmation_tag(byte_view session, const hash& key, byte_view sent) {
  auto mac_key = sha512({as_bytes(mac_label), session, key});
  crypto_auth_hmacsha512_state state;
  crypto_auth_hmacsha512_init(&state, raw(mac_key), mac_key.size());
  crypto_auth_hmacsha512_update(&state, raw(sent), sent.size());
  hash out;
  crypto_auth_hmacsha512_final(&state, out_of(out));
  sodium_memzero(&state, sizeof state);
  wipe(mac_key);
  return out;
}

void wipe(byte_span secret) noexcept {
  sodium_memzero(secret.data(), secret.size());
}

bool equal_constant_time(const hash& a, const hash& b) noexcept {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace nat::pake
