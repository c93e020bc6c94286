// TLS for a raw server.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace tidemark {

// A server's context with a certificate that it signed itself.
struct ServerTls {
  ServerTls() : context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context.get(), certificate);
    SSL_CTX_use_PrivateKey(context.get(), key);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context;
};

}  // namespace tidemark
