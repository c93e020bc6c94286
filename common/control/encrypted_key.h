// Private keys that nobody can use without a passphrase, for which nobody is asked.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace tidemark {

// Whether `pem` holds a private key that is encrypted (RFC 7468 section 11, RFC 1421 section 4.6.1.1).
bool IsEncryptedKey(absl::string_view pem);

// What is wrong with such a key in `file`, and the remedy.
std::string WhyNotEncrypted(absl::string_view file);

}  // namespace tidemark
