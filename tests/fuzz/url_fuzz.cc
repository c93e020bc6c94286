// URLs, overrides and agent addresses of any content: an error, or parts that are safe to send and to dial.
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/control_address.h"
#include "common/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto target = tidemark::ParseTarget(text); target.ok()) {
    CHECK(target->unix_path.empty() != target->host.empty());
    CHECK(target->path[0] == '/');
    for (const std::string& part : {target->path, target->host_header, target->host}) {
      CHECK(part.find_first_of("\r\n \t") == std::string::npos);
    }
  }
  (void)tidemark::ParseResolveOverride(text);
  if (const auto address = tidemark::ParseControlAddress(text); address.ok()) {
    CHECK(tidemark::ParseControlAddress(address->ToString())->host == address->host);
  }
  return 0;
}
