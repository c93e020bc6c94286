// The flags that make a request's body and headers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "protos/plan.pb.h"

namespace tidemark {

// As they were typed.
struct RequestFlags {
  std::string method;                     // empty: not given
  std::optional<std::string> data, json;  // the text, "@FILE", or "@-" for standard input
  std::vector<std::string> form;          // "NAME=VALUE"
  std::string user;                       // "NAME:PASSWORD"; empty: not given
  std::vector<std::string> headers;
};

// Puts them into the plan's requests, and reads what they name: the headers go to each of a mix, the body and the
// method to the only one.  Errors: InvalidArgument or NotFound, naming the flag and the remedy, never a password.
absl::Status ApplyRequestFlags(const RequestFlags& flags, proto::Plan* plan);

}  // namespace tidemark
