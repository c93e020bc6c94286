// Plan files of any content: an error or a plan, and a valid plan prints and reads back the same.
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/plan/defaults.h"
#include "common/plan/validate.h"
#include "coordinator/cli/plan_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto plan = tidemark::ParsePlan(absl::string_view(reinterpret_cast<const char*>(bytes), size), "fuzz");
  if (!plan.ok()) return 0;
  tidemark::ApplyDefaults(&*plan);
  if (!tidemark::ValidatePlan(*plan).ok()) return 0;
  const auto back = tidemark::ParsePlan(tidemark::PrintYaml(*plan), "printed");
  CHECK(back.ok());
  CHECK(tidemark::ValidatePlan(*back).ok());
  return 0;
}
