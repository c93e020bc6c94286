// Programs that may use but a part of a core.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/programs.h"

namespace tidemark {

// A control group that may use so many percent of a core.
class PartOfACore {
 public:
  explicit PartOfACore(int percent);
  ~PartOfACore();
  bool IsThere() const { return is_there_; }
  // A command prefix that runs what follows in the group, on a core of its own if there are several.
  std::vector<std::string> Prefix() const;

 private:
  bool Write(const char* file, const std::string& text) const;
  std::string path_;
  bool is_there_ = false;
};

}  // namespace tidemark
