// What every check of a plan is made of. Errors: InvalidArgument "FIELD: what".
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"

namespace tidemark {

absl::Status Invalid(absl::string_view field, absl::string_view what);
// What somebody wrote, for a message.
std::string Quoted(absl::string_view text);

absl::Status CheckRange(absl::string_view field, std::int64_t value, std::int64_t low, std::int64_t high);
// A rate per second; `may_be_none`: 0 is allowed.
absl::Status CheckRate(absl::string_view field, double value, double high, bool may_be_none);
// That each placeholder in `text` can be filled in.
absl::Status CheckParts(absl::string_view field, absl::string_view text);
absl::Status CheckDuration(absl::string_view field, Nanos value, Nanos low, Nanos high);

// RFC 9110 section 5.6.2.
bool IsToken(absl::string_view text);
bool HasControl(absl::string_view text, bool allow_space);
// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(absl::string_view text);

}  // namespace tidemark
