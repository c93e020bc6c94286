#include "common/plan/status_set.h"

#include <google/protobuf/repeated_field.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/plan/checks.h"

namespace tidemark {

template <typename Strings>
absl::StatusOr<StatusSet> ParseStatusSet(const Strings& entries) {
  StatusSet set;
  if (entries.empty()) {
    for (std::size_t status = 200; status < 400; ++status) set.set(status);
  }
  for (const std::string& entry : entries) {
    const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(entry, absl::MaxSplits('-', 1));
    int low = 0;
    int high = 0;
    if (!absl::SimpleAtoi(ends.first, &low) ||
        !absl::SimpleAtoi(absl::StrContains(entry, '-') ? ends.second : ends.first, &high) || low < 100 || high > 999 ||
        low > high) {
      return Invalid("expect_status", absl::StrCat("'", entry.substr(0, 32), "' is no status; write 200 or 200-399"));
    }
    for (int status = low; status <= high; ++status) set.set(static_cast<std::size_t>(status));
  }
  return set;
}
template absl::StatusOr<StatusSet> ParseStatusSet(const google::protobuf::RepeatedPtrField<std::string>&);

}  // namespace tidemark
