// Histogram logs of any content: an error, or histograms whose counts add up.
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "coordinator/report/hdr.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto intervals = tidemark::ParseHlog(absl::string_view(reinterpret_cast<const char*>(bytes), size));
  if (!intervals.ok()) return 0;
  for (const tidemark::HlogInterval& interval : *intervals) {
    std::uint64_t sum = 0;
    interval.histogram.ForEach([&sum](std::uint32_t, std::uint64_t count) { sum += count; });
    CHECK(sum == interval.histogram.count());
  }
  return 0;
}
