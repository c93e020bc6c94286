// How a command says that something is wrong.
#pragma once

#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"
#include "common/inert_text.h"

namespace tidemark {

// One line on stderr, whatever `message` repeats of what was written; returns `code`.
inline int Fail(int code, absl::string_view message) {
  std::fprintf(stderr, "tidemark: %s\n", InertText(message, message.size()).c_str());
  return code;
}

}  // namespace tidemark
