#include "common/plan/variables.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/inert_text.h"
#include "common/plan/checks.h"
#include "common/plan/limits.h"
#include "common/plan/parts.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

constexpr int kMaxVariables = 1'000;

// Puts values where names stand, and remembers which of them it has met.
class Filler {
 public:
  explicit Filler(std::map<std::string, std::string> values) : values_(std::move(values)) {}

  // What cannot be read is left as it is: ValidatePlan says of what is wrong there.
  absl::Status Fill(absl::string_view field, std::string* text) {
    const auto parts = PartsOf(*text);
    const bool has_name = parts.ok() && std::any_of(parts->begin(), parts->end(), [this](const Part& part) {
                            return part.kind == Part::Kind::kName && values_.count(std::string(part.text)) != 0;
                          });
    if (!has_name) return absl::OkStatus();
    std::string out;
    for (const Part& part : *parts) {
      const auto value = part.kind == Part::Kind::kName ? values_.find(std::string(part.text)) : values_.end();
      if (value == values_.end()) {
        absl::StrAppend(&out, part.written);
      } else {
        absl::StrAppend(&out, value->second);
        met_.insert(value->first);
      }
      if (out.size() > kMaxBodyBytes) return Invalid(field, "is beyond 16 MiB with its variables");
    }
    *text = std::move(out);
    return absl::OkStatus();
  }

  // Errors: InvalidArgument naming a variable that has not been met.
  absl::Status CheckMet() const {
    for (const auto& [name, value] : values_) {
      if (met_.count(name) == 0)
        return Invalid("vars",
                       absl::StrCat("'", name, "' has no effect: nothing names {", name,
                                    "}; write that into a path, a header, a body or a message, or leave it out"));
    }
    return absl::OkStatus();
  }

 private:
  const std::map<std::string, std::string> values_;
  std::set<std::string> met_;
};

absl::Status CheckName(const std::string& name, const std::string& value) {
  if (!IsName(name) || name.size() > 64)
    return Invalid("vars",
                   absl::StrCat("'", InertText(name, 64), "' is no name; write letters, digits and _, 64 at most"));
  // Of other names the placeholder is another's.
  const std::string braced = absl::StrCat("{", name, "}");
  const auto parts = PartsOf(braced);
  if (!parts.ok() || (*parts)[0].kind != Part::Kind::kName)
    return Invalid("vars", absl::StrCat("'", name, "' is the name of a placeholder; choose another one"));
  return value.size() > kMaxBodyBytes ? Invalid("vars", absl::StrCat("'", name, "' is beyond 16 MiB"))
                                      : absl::OkStatus();
}

}  // namespace

absl::Status SetVariables(const std::vector<std::string>& settings, proto::Plan* plan) {
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0)
      return absl::InvalidArgumentError(
          absl::StrCat("--var: '", InertText(setting, 64), "' is no variable; write NAME=VALUE"));
    (*plan->mutable_vars())[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  return absl::OkStatus();
}

absl::Status ApplyVariables(proto::Plan* plan) {
  if (plan->vars().empty()) return absl::OkStatus();
  if (plan->vars_size() > kMaxVariables) return Invalid("vars", absl::StrCat("more than ", kMaxVariables));
  std::map<std::string, std::string> values(plan->vars().begin(), plan->vars().end());
  for (const auto& [name, value] : values) TIDEMARK_RETURN_IF_ERROR(CheckName(name, value));
  Filler filler(std::move(values));
  TIDEMARK_RETURN_IF_ERROR(filler.Fill("target", plan->mutable_target()));
  for (proto::Request& request : *plan->mutable_requests()) {
    TIDEMARK_RETURN_IF_ERROR(filler.Fill("requests.path", request.mutable_path()));
    for (std::string& header : *request.mutable_headers())
      TIDEMARK_RETURN_IF_ERROR(filler.Fill("requests.headers", &header));
    if (request.has_body()) TIDEMARK_RETURN_IF_ERROR(filler.Fill("requests.body", request.mutable_body()));
  }
  if (plan->has_web_socket()) {
    for (std::string& message : *plan->mutable_web_socket()->mutable_subscribe())
      TIDEMARK_RETURN_IF_ERROR(filler.Fill("web_socket.subscribe", &message));
  }
  TIDEMARK_RETURN_IF_ERROR(filler.CheckMet());
  plan->clear_vars();
  return absl::OkStatus();
}

}  // namespace tidemark
