#include "tests/signaling/soak/hostile.hpp"

#include <algorithm>

namespace nat::test {

void hostile_client::next_deed() {
  if (left_.empty()) {
    left_ = deeds_of_a_round();
    std::ranges::shuffle(left_, chance_);
  }
  const auto what = std::move(left_.back());
  left_.pop_back();
  what();
  ++done_;
  if (left_.empty()) ++rounds_;
}

std::string hostile_client::noise(std::size_t most) {
  std::string out(below(most) + 1, '\0');
  for (auto& c : out) c = static_cast<char>(chance_());
  return out;
}

std::string hostile_client::client_hello() {
  const std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  const std::unique_ptr<SSL, freed_by<SSL_free>> tls(SSL_new(context.get()));
  BIO* said = BIO_new(BIO_s_mem());
  SSL_set_bio(tls.get(), BIO_new(BIO_s_mem()), said);
  SSL_connect(tls.get());
  char* text = nullptr;
  const auto size = BIO_get_mem_data(said, &text);
  REQUIRE(size > 100);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace nat::test
