#include "coordinator/report/decimal.h"

#include <charconv>
#include <cmath>

#include "common/check.h"

namespace tidemark {

std::string Decimal(double value) {
  CHECK(std::isfinite(value));
  if (value == 0) return "0";
  // The largest double has 309 digits before its point, the smallest 324 behind it and a sign.
  char digits[400];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed);
  CHECK(end.ec == std::errc());
  return std::string(digits, end.ptr);
}

}  // namespace tidemark
