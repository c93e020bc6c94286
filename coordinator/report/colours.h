// The colours of a text report.
#pragma once

#include <string>

namespace tidemark {

// What stands before words that have a colour, and behind them; all empty where there are none. SGR, ECMA-48.
struct Colours {
  explicit Colours(bool has_color) {
    if (has_color) bold = "\x1b[1m", red = "\x1b[31m", green = "\x1b[32m", yellow = "\x1b[33m", reset = "\x1b[0m";
  }
  std::string bold, red, green, yellow, reset;
};

}  // namespace tidemark
