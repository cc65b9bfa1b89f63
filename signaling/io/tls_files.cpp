#include "signaling/io/tls_files.hpp"

#include "signaling/io/files.hpp"
#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

std::shared_ptr<const tls::server_context> read_tls(const options& o) {
  if (o.tls_certificate.empty()) return nullptr;
  const auto certificates = content_of("--tls-cert", o.tls_certificate);
  const auto key = content_of("--tls-key", o.tls_key);
  auto made = tls::server_context::make(certificates, key);
  if (!made) {
    throw startup_error{"--tls-cert " + o.tls_certificate + " and --tls-key " + o.tls_key +
                        ": failed to " + made.error()};
  }
  if (!o.tls_name.empty() && !made->covers(o.tls_name)) {
    throw startup_error{"--tls-name " + o.tls_name + ": the certificate in " + o.tls_certificate +
                        " is not for that name"};
  }
  return std::make_shared<const tls::server_context>(std::move(*made));
}

std::optional<tls::client_context> read_cluster_tls(const options& o) {
  if (!o.cluster || !o.cluster->tls) return std::nullopt;
  std::optional<std::string> trusted;
  if (!o.cluster_ca.empty()) trusted = content_of("--cluster-ca", o.cluster_ca);
  auto made = tls::client_context::make(o.cluster->host, trusted);
  if (!made) {
    const auto file = trusted ? ", --cluster-ca " + o.cluster_ca : std::string();
    throw startup_error{"--cluster rediss://" + o.cluster->host + file + ": failed to " +
                        made.error()};
  }
  return std::move(*made);
}

}  // namespace nat::signaling::io
