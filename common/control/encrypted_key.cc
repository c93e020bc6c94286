#include "common/control/encrypted_key.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tidemark {

bool IsEncryptedKey(absl::string_view pem) {
  return absl::StrContains(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
         absl::StrContains(pem, "Proc-Type: 4,ENCRYPTED");
}

std::string WhyNotEncrypted(absl::string_view file) {
  return absl::StrCat("'", file,
                      "' is encrypted, and nobody is asked for its passphrase; write it without, with "
                      "'openssl pkey -in ",
                      file, " -out NEW.pem', readable by its owner alone");
}

}  // namespace tidemark
