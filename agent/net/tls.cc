#include "agent/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/guard/secrets.h"
#include "common/control/encrypted_key.h"
#include "common/inert_text.h"
#include "common/plan/authority.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

// In the place of OpenSSL's own, which asks at the terminal, and waits.
int RefusePassphrase(char*, int, int, void*) { return -1; }

constexpr std::size_t kMaxFileBytes = 1 << 20;

absl::Status FileError(absl::string_view field, const std::string& file, absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat("tls.", field, ": '", InertText(file, 256), "' cannot be used: ", what,
                                                 "; give a PEM file that the agent can read"));
}

// Of what OpenSSL said last.
absl::Status ParseError(absl::string_view field, const std::string& file) {
  const char* const reason = ERR_reason_error_string(ERR_peek_error());
  return FileError(field, file, reason == nullptr ? "it holds none" : reason);
}

struct Deleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(STACK_OF(X509_INFO) * stack) const { sk_X509_INFO_pop_free(stack, X509_INFO_free); }
};
using Bio = std::unique_ptr<BIO, Deleter>;

Bio Reader(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

absl::Status ReadInto(const TargetGuard& guard, absl::string_view field, const std::string& file, std::string* text) {
  if (file.empty()) return absl::OkStatus();
  auto read = guard.ReadFile(file, kMaxFileBytes);
  if (absl::IsPermissionDenied(read.status()))
    return absl::PermissionDeniedError(absl::StrCat(
        "tls.", field, " refused: '", InertText(file, 256),
        "' is not named under secrets: of the agent's --allow-list, as file:/PATH, nor its folder, as file:/FOLDER/"));
  if (!read.ok())
    return absl::InvalidArgumentError(
        absl::StrCat("tls.", field, ": ", read.status().message(), "; give a PEM file that the agent can read"));
  *text = *std::move(read);
  return absl::OkStatus();
}

// Certificates, and lists of those that were revoked, as X509_load_cert_crl_file takes them.
absl::Status UseAuthorities(SSL_CTX* context, const std::string& file, const std::string& text) {
  const std::unique_ptr<STACK_OF(X509_INFO), Deleter> found(
      PEM_X509_INFO_read_bio(Reader(text).get(), nullptr, RefusePassphrase, nullptr));
  if (found == nullptr) return ParseError("ca_file", file);
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  int count = 0;
  for (int i = 0; i < sk_X509_INFO_num(found.get()); ++i) {
    const X509_INFO* const info = sk_X509_INFO_value(found.get(), i);
    if (info->x509 != nullptr && X509_STORE_add_cert(store, info->x509) == 1) ++count;
    if (info->crl != nullptr && X509_STORE_add_crl(store, info->crl) == 1) ++count;
  }
  return count > 0 ? absl::OkStatus() : FileError("ca_file", file, "it holds no certificate");
}

absl::Status UseChain(SSL_CTX* context, const std::string& file, const std::string& text) {
  const Bio bio = Reader(text);
  std::unique_ptr<X509, Deleter> certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, RefusePassphrase, nullptr));
  if (certificate == nullptr || SSL_CTX_use_certificate(context, certificate.get()) != 1)
    return ParseError("cert_file", file);
  while (certificate.reset(PEM_read_bio_X509(bio.get(), nullptr, RefusePassphrase, nullptr)), certificate != nullptr) {
    if (SSL_CTX_add0_chain_cert(context, certificate.get()) != 1) return ParseError("cert_file", file);
    certificate.release();
  }
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!is_end) return ParseError("cert_file", file);
  ERR_clear_error();
  return absl::OkStatus();
}

absl::Status UseKey(SSL_CTX* context, const std::string& file, const std::string& text) {
  if (IsEncryptedKey(text)) return absl::InvalidArgumentError(absl::StrCat("tls.key_file: ", WhyNotEncrypted(file)));
  const std::unique_ptr<EVP_PKEY, Deleter> key(
      PEM_read_bio_PrivateKey(Reader(text).get(), nullptr, RefusePassphrase, nullptr));
  if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return ParseError("key_file", file);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsFiles> ReadTlsFiles(const proto::Tls& tls, const TargetGuard& guard) {
  TlsFiles files;
  if (!tls.insecure()) TIDEMARK_RETURN_IF_ERROR(ReadInto(guard, "ca_file", tls.ca_file(), &files.ca));
  if (!tls.cert_file().empty()) {
    TIDEMARK_RETURN_IF_ERROR(ReadInto(guard, "cert_file", tls.cert_file(), &files.cert));
    TIDEMARK_RETURN_IF_ERROR(ReadInto(guard, "key_file", tls.key_file(), &files.key));
    KeepOutOfDumps();
  }
  return files;
}

bool ResumesSessions(SSL_CTX* context) { return SSL_CTX_get_session_cache_mode(context) != SSL_SESS_CACHE_OFF; }

absl::StatusOr<SslContext> MakeSslContext(const proto::Tls& tls, const TlsFiles& files, const Target& target) {
  SslContext context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return absl::InternalError("OpenSSL: no context");
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_default_passwd_cb(raw, RefusePassphrase);
  // One read() per record instead of two, and no idle buffers: 27 KB instead of 58 KB per connection.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Each connection keeps its own session; with its client cache on, OpenSSL would mark a TLS 1.3 session as used up as
  // soon as another connection resumes it.
  SSL_CTX_set_session_cache_mode(raw, tls.no_resume() ? SSL_SESS_CACHE_OFF : SSL_SESS_CACHE_SERVER);
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(raw, kAlpn, sizeof kAlpn - 1);

  if (!tls.insecure()) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM* const param = SSL_CTX_get0_param(raw);
    if (IsIpAddress(target.host)) {
      X509_VERIFY_PARAM_set1_ip_asc(param, target.host.c_str());
    } else {
      X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      const std::string name = WithoutTrailingDot(target.host);
      X509_VERIFY_PARAM_set1_host(param, name.c_str(), name.size());
    }
    if (tls.ca_file().empty()) {
      SSL_CTX_set_default_verify_paths(raw);
    } else {
      TIDEMARK_RETURN_IF_ERROR(UseAuthorities(raw, tls.ca_file(), files.ca));
    }
  }
  if (!tls.cert_file().empty()) {
    TIDEMARK_RETURN_IF_ERROR(UseChain(raw, tls.cert_file(), files.cert));
    TIDEMARK_RETURN_IF_ERROR(UseKey(raw, tls.key_file(), files.key));
  }
  return context;
}

}  // namespace tidemark
