// TLS for a raw server.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace tidemark {

// A key, and a certificate that it signed itself, good for an hour.
struct SelfSigned {
  SelfSigned() : key(EVP_EC_gen("P-256")), certificate(X509_new()) {
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
  }
  ~SelfSigned() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  SelfSigned(const SelfSigned&) = delete;
  SelfSigned& operator=(const SelfSigned&) = delete;

  EVP_PKEY* const key;
  X509* const certificate;
};

// A server's context with such a certificate.
struct ServerTls {
  ServerTls() : context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    const SelfSigned own;
    SSL_CTX_use_certificate(context.get(), own.certificate);
    SSL_CTX_use_PrivateKey(context.get(), own.key);
  }
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context;
};

}  // namespace tidemark
