#include "coordinator/cli/plan_file.h"

#include "absl/strings/str_cat.h"
#include "common/plan/limits.h"
#include "common/status_macros.h"
#include "protos/plan.pb.h"

namespace tidemark {

absl::StatusOr<proto::Plan> ParsePlan(absl::string_view text, const std::string& name) {
  if (text.find_first_not_of(" \t\r\n") == absl::string_view::npos)
    return absl::InvalidArgumentError(absl::StrCat(name, ": is empty; a plan needs at least 'target: URL'"));
  proto::Plan plan;
  TIDEMARK_RETURN_IF_ERROR(ParseYaml(text, name, "plan", &plan));
  return plan;
}

absl::StatusOr<proto::Plan> ReadPlanFile(const std::string& path) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxYamlBytes));
  TIDEMARK_ASSIGN_OR_RETURN(proto::Plan plan, ParsePlan(text, path));
  for (proto::Request& request : *plan.mutable_requests()) {
    if (request.body_file().empty()) continue;
    if (request.has_body())
      return absl::InvalidArgumentError(absl::StrCat(path, ": requests: body and body_file exclude each other"));
    const std::size_t slash = path.rfind('/');
    const bool is_absolute = request.body_file()[0] == '/' || slash == std::string::npos;
    const std::string file =
        is_absolute ? request.body_file() : absl::StrCat(path.substr(0, slash + 1), request.body_file());
    TIDEMARK_ASSIGN_OR_RETURN(*request.mutable_body(), ReadFile(file, kMaxBodyBytes));
    request.clear_body_file();
  }
  return plan;
}

}  // namespace tidemark
