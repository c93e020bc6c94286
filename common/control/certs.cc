#include "common/control/certs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/control/encrypted_key.h"
#include "common/control/user_folder.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

constexpr std::size_t kMaxPemBytes = 1 << 20;

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || text.str().empty() || text.str().size() > kMaxPemBytes) {
    return absl::NotFoundError(
        absl::StrCat("--control-certs: '", path, "' cannot be read; make it with 'tidemark certs', see its --help"));
  }
  return text.str();
}

}  // namespace

std::string DefaultControlCertsDir() { return ConfigFolder("certs"); }

bool HasControlCerts(const std::string& dir) { return !dir.empty() && access((dir + "/cert.pem").c_str(), F_OK) == 0; }

absl::StatusOr<ControlCerts> ReadControlCerts(const std::string& dir) {
  ControlCerts certs;
  TIDEMARK_ASSIGN_OR_RETURN(certs.ca, ReadPem(dir + "/ca.pem"));
  TIDEMARK_ASSIGN_OR_RETURN(certs.cert, ReadPem(dir + "/cert.pem"));
  TIDEMARK_ASSIGN_OR_RETURN(certs.key, ReadPem(dir + "/key.pem"));
  if (IsEncryptedKey(certs.key))
    return absl::FailedPreconditionError(absl::StrCat("--control-certs: ", WhyNotEncrypted(dir + "/key.pem")));
  struct stat facts {};
  if (stat((dir + "/key.pem").c_str(), &facts) == 0 && (facts.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("--control-certs: '", dir, "/key.pem' is open to others; chmod 600 it"));
  }
  return certs;
}

}  // namespace tidemark
