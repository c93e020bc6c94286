// Why an answer is what it is.
#pragma once

#include <string>
#include <vector>

namespace tidemark {

struct Reason {
  double effect = 0;  // a share: of a figure that was moved, or of what was asked for
  std::string text;   // with its figures
};

// The largest effect first: "one; another".
std::string Join(std::vector<Reason> reasons);

}  // namespace tidemark
