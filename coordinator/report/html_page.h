// What every page carries: its style, the library that draws, and what is drawn. Made at build time of page/report.css,
// page/report.js, page/files.js and d3's modules; see page/embed.cmake.
#pragma once

#include "absl/strings/string_view.h"

namespace tidemark {

extern const absl::string_view kPageStyle;
extern const absl::string_view kPageLibrary;  // d3, with its licence
extern const absl::string_view kPageScript;
// Not in the page: what node makes files of its charts with.
extern const absl::string_view kPageFiles;

}  // namespace tidemark
