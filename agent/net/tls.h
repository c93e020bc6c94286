// The TLS settings of a plan as an OpenSSL context.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/guard/target_guard.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextDeleter>;

// Whether a connection made with `context` may resume the session of the one before it.
bool ResumesSessions(SSL_CTX* context);

// What the files of a plan's TLS hold.
struct TlsFiles {
  std::string ca = {};
  std::string cert = {};
  std::string key = {};
};
// Reads those that the plan names, if the guard lets it. Errors: InvalidArgument, PermissionDenied, naming the file.
absl::StatusOr<TlsFiles> ReadTlsFiles(const proto::Tls& tls, const TargetGuard& guard);

// A client context for `target`: TLS 1.2 and 1.3, ALPN http/1.1, chain and host name verified against the system's
// authorities or those of `tls.ca_file`, unless `tls.insecure`. Each worker makes its own.
// Errors: InvalidArgument naming the file that cannot be used.
absl::StatusOr<SslContext> MakeSslContext(const proto::Tls& tls, const TlsFiles& files, const Target& target);

}  // namespace tidemark
