#include "coordinator/report/files.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace tidemark {

absl::Status WriteFile(const std::string& path, const std::string& content) {
  if (path == "-") {
    std::fwrite(content.data(), 1, content.size(), stdout);
    return absl::OkStatus();
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  out.close();
  return out ? absl::OkStatus()
             : absl::NotFoundError(absl::StrCat("-o: '", path, "' cannot be written; check the folder and the space"));
}

absl::Status CheckOutputs(const std::vector<Output>& outputs) {
  for (const Output& output : outputs) {
    if (output.path == "-") continue;
    const bool is_new = access(output.path.c_str(), F_OK) != 0;
    std::ofstream out(output.path, std::ios::binary | std::ios::app);
    if (!out) return absl::NotFoundError(absl::StrCat("-o: '", output.path, "' cannot be written; check the folder"));
    out.close();
    if (is_new) unlink(output.path.c_str());
  }
  return absl::OkStatus();
}

}  // namespace tidemark
