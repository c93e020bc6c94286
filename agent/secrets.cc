#include "agent/secrets.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "common/yaml_message.h"

namespace tidemark {
namespace {

constexpr std::size_t kMaxSecretBytes = 64 << 10;

// `reference`: "env:NAME" or "file:/PATH".
absl::StatusOr<std::string> ValueOf(const TargetGuard& guard, const std::string& reference) {
  TIDEMARK_RETURN_IF_ERROR(guard.CheckSecret(reference));
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("secret {", reference.substr(0, 128), "}: ", what));
  };
  std::string value;
  absl::string_view name = reference;
  if (absl::ConsumePrefix(&name, "env:")) {
    const char* const text = std::getenv(std::string(name).c_str());
    if (text == nullptr) return absl::NotFoundError(error("is not set in the agent's environment").message());
    value = text;
  } else {
    absl::ConsumePrefix(&name, "file:");
    auto text = ReadFile(std::string(name), kMaxSecretBytes);
    if (!text.ok()) return absl::NotFoundError(error(text.status().message()).message());
    value = *std::move(text);
    while (absl::EndsWith(value, "\n") || absl::EndsWith(value, "\r")) value.pop_back();
  }
  if (value.empty() || value.size() > kMaxSecretBytes) return error("is empty, or longer than 64 KiB");
  if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
    return error("has control characters, which would end a header");
  return value;
}

// Replaces all references in *text; *has_any becomes true if there are some.
absl::Status Fill(const TargetGuard& guard, std::string* text, bool* has_any) {
  for (std::size_t at = text->find('{'); at != std::string::npos; at = text->find('{', at)) {
    const absl::string_view rest = absl::string_view(*text).substr(at);
    const std::size_t length = rest.find('}');
    if ((!absl::StartsWith(rest, "{env:") && !absl::StartsWith(rest, "{file:/")) || length == absl::string_view::npos) {
      ++at;
      continue;
    }
    TIDEMARK_ASSIGN_OR_RETURN(const std::string value, ValueOf(guard, std::string(rest.substr(1, length - 1))));
    text->replace(at, length + 1, value);
    at += value.size();  // what a secret holds is no reference
    *has_any = true;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ResolveSecrets(const TargetGuard& guard, proto::Plan* plan) {
  bool has_any = false;
  for (proto::Request& request : *plan->mutable_requests()) {
    TIDEMARK_RETURN_IF_ERROR(Fill(guard, request.mutable_path(), &has_any));
    for (std::string& header : *request.mutable_headers()) TIDEMARK_RETURN_IF_ERROR(Fill(guard, &header, &has_any));
    TIDEMARK_RETURN_IF_ERROR(Fill(guard, request.mutable_body(), &has_any));
  }
  if (plan->has_web_socket()) {
    for (std::string& message : *plan->mutable_web_socket()->mutable_subscribe())
      TIDEMARK_RETURN_IF_ERROR(Fill(guard, &message, &has_any));
  }
  if (has_any) prctl(PR_SET_DUMPABLE, 0);
  return absl::OkStatus();
}

}  // namespace tidemark
