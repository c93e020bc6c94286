// Who the two ends of the control channel are: PEM files that a private authority has signed.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace tidemark {

// The name (subjectAltName) by which an agent knows a coordinator, unless it was told another.
inline constexpr char kCoordinatorName[] = "coordinator";

// The contents of ca.pem, cert.pem and key.pem.
struct ControlCerts {
  std::string ca;
  std::string cert;
  std::string key;
};

// ConfigFolder("certs"): where both programs look unless --control-certs names another folder.
std::string DefaultControlCertsDir();

// Whether `dir` holds a cert.pem.
bool HasControlCerts(const std::string& dir);

// Reads them. Errors: NotFound naming the file and the remedy; FailedPrecondition if others may read the key.
absl::StatusOr<ControlCerts> ReadControlCerts(const std::string& dir);

}  // namespace tidemark
