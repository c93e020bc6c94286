#include "coordinator/cli/certs_command.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/control/certs.h"
#include "common/control/encrypted_key.h"
#include "common/control/user_folder.h"
#include "common/exit_code.h"
#include "common/inert_text.h"
#include "common/plan/authority.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/fail.h"

namespace tidemark {
namespace {

constexpr char kExamples[] = R"(
Examples:
  tidemark certs init                                    once, where the authority lives
  tidemark certs coordinator                             for this host, into the folder where tidemark looks
  tidemark certs agent 10.0.0.5 load-1.internal --out load-1
                                                         copy load-1/ to that host's ~/.config/tidemark/certs

Each folder holds ca.pem, cert.pem and key.pem. Keep ca.key where the authority lives: who has it can command agents.
Exit codes: 0 written; 1 usage, or a file that cannot be read or made.)";

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertDeleter {
  void operator()(X509* cert) const { X509_free(cert); }
};
struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;
using Cert = std::unique_ptr<X509, CertDeleter>;
using Bio = std::unique_ptr<BIO, BioDeleter>;

absl::Status OpenSslFailed(const char* what) { return absl::InternalError(absl::StrCat("OpenSSL: cannot ", what)); }

bool AddExtension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  const bool is_added = X509_add_ext(cert, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

// A certificate for `key` over `days`, not signed yet.
absl::StatusOr<Cert> MakeCert(EVP_PKEY* key, const std::string& common_name, int days) {
  Cert cert(X509_new());
  unsigned char serial[16];
  if (cert == nullptr || RAND_bytes(serial, sizeof serial) != 1) return OpenSslFailed("make a certificate");
  serial[0] &= 0x7f;  // RFC 5280 section 4.1.2.2: positive
  BIGNUM* const number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert.get()));
  BN_free(number);
  X509_set_version(cert.get(), 2);                          // v3
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);  // clocks of hosts differ
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 86'400L * days);
  X509_set_pubkey(cert.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  return cert;
}

absl::StatusOr<std::string> ToPem(const Key* key, const Cert* cert) {
  const Bio memory(BIO_new(BIO_s_mem()));
  const bool is_written =
      key != nullptr ? PEM_write_bio_PrivateKey(memory.get(), key->get(), nullptr, nullptr, 0, nullptr, nullptr) == 1
                     : PEM_write_bio_X509(memory.get(), cert->get()) == 1;
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  if (!is_written || size <= 0) return OpenSslFailed("write PEM");
  return std::string(bytes, static_cast<std::size_t>(size));
}

absl::Status WriteNew(const std::string& path, const std::string& text, mode_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) {
    return absl::FailedPreconditionError(absl::StrCat("'", path,
                                                      "' cannot be made: ", std::generic_category().message(errno),
                                                      errno == EEXIST ? "; move the old one away first" : ""));
  }
  const bool is_written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return close(fd) == 0 && is_written ? absl::OkStatus()
                                      : absl::DataLossError(absl::StrCat("'", path, "' cannot be written"));
}

absl::Status MakeFolder(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  return error || dir.empty() ? absl::FailedPreconditionError(absl::StrCat("'", dir, "' cannot be made a folder"))
                              : absl::OkStatus();
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  const Bio file(BIO_new_file(path.c_str(), "r"));
  if (file == nullptr)
    return absl::NotFoundError(
        absl::StrCat("'", path, "' cannot be read; make the authority with 'tidemark certs init'"));
  std::string text(1 << 20, '\0');
  const int size = BIO_read(file.get(), text.data(), static_cast<int>(text.size()));
  text.resize(static_cast<std::size_t>(std::max(size, 0)));
  return text;
}

absl::Status Init(const std::string& dir, int days) {
  TIDEMARK_RETURN_IF_ERROR(MakeFolder(dir));
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (key == nullptr) return OpenSslFailed("make a key");
  TIDEMARK_ASSIGN_OR_RETURN(const Cert cert, MakeCert(key.get(), "tidemark authority", days));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
  if (!AddExtension(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(cert.get(), cert.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(cert.get(), cert.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(cert.get(), key.get(), EVP_sha256()) == 0)
    return OpenSslFailed("sign");
  TIDEMARK_ASSIGN_OR_RETURN(const std::string key_pem, ToPem(&key, nullptr));
  TIDEMARK_ASSIGN_OR_RETURN(const std::string cert_pem, ToPem(nullptr, &cert));
  TIDEMARK_RETURN_IF_ERROR(WriteNew(dir + "/ca.key", key_pem, 0600));
  TIDEMARK_RETURN_IF_ERROR(WriteNew(dir + "/ca.pem", cert_pem, 0644));
  std::printf("%s/ca.pem\n%s/ca.key: keep it here\n", dir.c_str(), dir.c_str());
  return absl::OkStatus();
}

// A key and a certificate for `names`, signed by the authority in `ca_dir`, into `out`.
absl::Status Issue(const std::string& ca_dir, const std::vector<std::string>& names, const std::string& out, int days) {
  std::vector<std::string> alt_names;
  for (const std::string& name : names) {
    const auto host = ParseHost(name);
    if (!host.ok())
      return absl::InvalidArgumentError(absl::StrCat(
          "'", InertText(name, 64), "' is neither a host name nor an address: it ", host.status().message()));
    alt_names.push_back(IsIpAddress(*host) ? "IP:" + *host : "DNS:" + WithoutTrailingDot(*host));
  }
  TIDEMARK_ASSIGN_OR_RETURN(const std::string ca_pem, ReadText(ca_dir + "/ca.pem"));
  TIDEMARK_ASSIGN_OR_RETURN(const std::string ca_key_pem, ReadText(ca_dir + "/ca.key"));
  if (IsEncryptedKey(ca_key_pem)) return absl::FailedPreconditionError(WhyNotEncrypted(ca_dir + "/ca.key"));
  const Bio ca_text(BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())));
  const Bio key_text(BIO_new_mem_buf(ca_key_pem.data(), static_cast<int>(ca_key_pem.size())));
  // Without a passphrase OpenSSL would ask for one at the terminal.
  char no_passphrase[] = "";
  const Cert ca(PEM_read_bio_X509(ca_text.get(), nullptr, nullptr, no_passphrase));
  const Key ca_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, no_passphrase));
  if (ca == nullptr || ca_key == nullptr || X509_check_private_key(ca.get(), ca_key.get()) != 1)
    return absl::FailedPreconditionError(absl::StrCat("'", ca_dir, "' holds no matching ca.pem and ca.key"));

  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (key == nullptr) return OpenSslFailed("make a key");
  TIDEMARK_ASSIGN_OR_RETURN(const Cert cert, MakeCert(key.get(), names[0].substr(0, 64), days));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(ca.get()));
  if (!AddExtension(cert.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(cert.get(), ca.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(cert.get(), ca.get(), NID_ext_key_usage, "serverAuth,clientAuth") ||
      !AddExtension(cert.get(), ca.get(), NID_authority_key_identifier, "keyid") ||
      !AddExtension(cert.get(), ca.get(), NID_subject_alt_name, absl::StrJoin(alt_names, ",")) ||
      X509_sign(cert.get(), ca_key.get(), EVP_sha256()) == 0)
    return OpenSslFailed("sign");
  TIDEMARK_ASSIGN_OR_RETURN(const std::string key_pem, ToPem(&key, nullptr));
  TIDEMARK_ASSIGN_OR_RETURN(const std::string cert_pem, ToPem(nullptr, &cert));
  TIDEMARK_RETURN_IF_ERROR(MakeFolder(out));
  TIDEMARK_RETURN_IF_ERROR(WriteNew(out + "/key.pem", key_pem, 0600));
  TIDEMARK_RETURN_IF_ERROR(WriteNew(out + "/cert.pem", cert_pem, 0644));
  TIDEMARK_RETURN_IF_ERROR(WriteNew(out + "/ca.pem", ca_pem, 0644));
  std::printf("%s: for %s, %d days\n", out.c_str(), absl::StrJoin(names, " ").c_str(), days);
  return absl::OkStatus();
}

struct CertsFlags {
  std::string ca_dir = ConfigFolder("ca");
  std::string out;
  std::string name = kCoordinatorName;
  std::vector<std::string> names;
  std::string days;
};

// How long it is to be valid; `usual`: where nothing is said.
absl::StatusOr<int> DaysOf(const std::string& text, int usual) {
  constexpr std::int64_t kMost = 3650;
  if (text.empty()) return usual;
  const auto days = ParseCount(text);
  if (!days.ok()) return absl::InvalidArgumentError(absl::StrCat("--days: ", days.status().message()));
  if (*days < 1 || *days > kMost)
    return absl::InvalidArgumentError(absl::StrCat("--days: ", *days, " is outside 1 to ", kMost));
  return static_cast<int>(*days);
}

int Done(const absl::Status& status) { return status.ok() ? kExitOk : Fail(kExitUsage, status.message()); }

}  // namespace

Prepare AddCerts(CLI::App* app) {
  const auto flags = std::make_shared<CertsFlags>();
  app->footer(kExamples);
  app->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, const char* usual) {
    CLI::App* const command = app->add_subcommand(name, what);
    command->add_option("--ca", flags->ca_dir, "folder of the authority")->capture_default_str()->type_name("FOLDER");
    command->add_option("--days", flags->days, absl::StrCat("how long it is valid, up to 3650; default ", usual))
        ->type_name("COUNT");
    return command;
  };
  const CLI::App* const init = add("init", "make the authority", "365");
  CLI::App* const agent = add("agent", "make a certificate for an agent, under each name it is dialled by", "30");
  agent->add_option("names", flags->names, "host names and addresses")->required()->type_name("HOST");
  agent->add_option("--out", flags->out, "folder to write to")->required()->type_name("FOLDER");
  CLI::App* const coordinator = add("coordinator", "make a certificate for a coordinator", "30");
  coordinator->add_option("--name", flags->name, "as in the agents' --allow-coordinator")
      ->capture_default_str()
      ->type_name("NAME");
  coordinator->add_option("--out", flags->out, "folder to write to; default: where tidemark looks")
      ->type_name("FOLDER");
  return [flags, init, agent]() -> absl::StatusOr<Prepared> {
    const CertsFlags& f = *flags;
    TIDEMARK_ASSIGN_OR_RETURN(const int days, DaysOf(f.days, init->parsed() ? 365 : 30));
    if (init->parsed()) return Prepared{.act = [flags, days] { return Done(Init(flags->ca_dir, days)); }};
    const std::vector<std::string> names = agent->parsed() ? f.names : std::vector<std::string>{f.name};
    const std::string out = f.out.empty() ? DefaultControlCertsDir() : f.out;
    return Prepared{.act = [flags, names, out, days] { return Done(Issue(flags->ca_dir, names, out, days)); }};
  };
}

}  // namespace tidemark
