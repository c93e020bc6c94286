#include "coordinator/report/model/four_digits.h"

#include <charconv>
#include <cmath>
#include <system_error>

#include "common/check.h"

namespace tidemark {

double FourDigits(double value) {
  if (!std::isfinite(value)) return value;
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific, 3);
  CHECK(end.ec == std::errc());
  double rounded = 0;
  CHECK(std::from_chars(digits, end.ptr, rounded).ec == std::errc());
  return rounded;
}

}  // namespace tidemark
