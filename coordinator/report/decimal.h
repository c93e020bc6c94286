// Numbers as JSON and CSV print them.
#pragma once

#include <string>

namespace tidemark {

// The shortest decimal that reads back as `value`, without an exponent: "12.5", "0.1", "34359"; "0" of either zero.
// REQUIRES: `value` is finite.
std::string Decimal(double value);

}  // namespace tidemark
