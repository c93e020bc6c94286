#include "agent/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/authority.h"
#include "common/encrypted_key.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

absl::Status FileError(absl::string_view field, const std::string& file) {
  const unsigned long error = ERR_peek_error();
  const char* reason = ERR_SYSTEM_ERROR(error) ? std::strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat("tls.", field, ": '", file,
                                                 "' cannot be used: ", reason == nullptr ? "unreadable" : reason,
                                                 "; give a PEM file that the agent can read"));
}

}  // namespace

namespace {

// In the place of OpenSSL's own, which asks at the terminal, and waits. Says that it was called.
int RefusePassphrase(char*, int, int, void* was_asked) {
  if (was_asked != nullptr) *static_cast<bool*>(was_asked) = true;
  return -1;
}

// Errors: InvalidArgument naming the file.
absl::Status UseKey(SSL_CTX* context, const std::string& file) {
  bool is_encrypted = false;
  SSL_CTX_set_default_passwd_cb_userdata(context, &is_encrypted);
  const bool is_used = SSL_CTX_use_PrivateKey_file(context, file.c_str(), SSL_FILETYPE_PEM) == 1 &&
                       SSL_CTX_check_private_key(context) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  if (is_used) return absl::OkStatus();
  if (!is_encrypted) return FileError("key_file", file);
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat("tls.key_file: ", WhyNotEncrypted(file)));
}

}  // namespace

bool ResumesSessions(SSL_CTX* context) { return SSL_CTX_get_session_cache_mode(context) != SSL_SESS_CACHE_OFF; }

absl::StatusOr<SslContext> MakeSslContext(const proto::Tls& tls, const Target& target) {
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
    } else if (SSL_CTX_load_verify_locations(raw, tls.ca_file().c_str(), nullptr) != 1) {
      return FileError("ca_file", tls.ca_file());
    }
  }
  if (!tls.cert_file().empty()) {
    if (SSL_CTX_use_certificate_chain_file(raw, tls.cert_file().c_str()) != 1)
      return FileError("cert_file", tls.cert_file());
    TIDEMARK_RETURN_IF_ERROR(UseKey(raw, tls.key_file()));
  }
  return context;
}

}  // namespace tidemark
