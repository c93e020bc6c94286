// Numbers as close as a picture needs them.
#pragma once

namespace tidemark {

// `value` rounded to four significant digits; what is not finite stays as it is.
double FourDigits(double value);

}  // namespace tidemark
