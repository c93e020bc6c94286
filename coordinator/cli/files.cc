#include "coordinator/cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/inert_text.h"
#include "common/status_macros.h"
#include "coordinator/cli/chart_files.h"

namespace tidemark {

namespace {

bool WriteAndClose(int fd, absl::string_view content) {
  bool is_well = true;
  while (is_well && !content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    is_well = written > 0 || (written < 0 && errno == EINTR);
    if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
  }
  return close(fd) == 0 && is_well;
}

}  // namespace

absl::Status WriteFile(const std::string& path, const std::string& content) {
  if (path == "-") {
    std::fwrite(content.data(), 1, content.size(), stdout);
    return absl::OkStatus();
  }
  const absl::Status error =
      absl::NotFoundError(absl::StrCat("-o/--output: '", path, "' cannot be written; check the folder and the space"));
  // Beside what it replaces, so that a full disk leaves the old file, and no half of the new one.
  struct stat old = {};
  const bool is_new = lstat(path.c_str(), &old) != 0;
  if (is_new || S_ISREG(old.st_mode)) {
    const std::string part = absl::StrCat(path, ".", getpid(), ".part");
    const int fd =
        open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_new ? mode_t{0666} : old.st_mode & mode_t{0777});
    if (fd >= 0) {
      if (WriteAndClose(fd, content) && rename(part.c_str(), path.c_str()) == 0) return absl::OkStatus();
      unlink(part.c_str());
      return error;
    }
  }
  // A pipe, a device or a link; or its folder takes no new file.
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return fd >= 0 && WriteAndClose(fd, content) ? absl::OkStatus() : error;
}

absl::Status CheckOutputs(const std::vector<Output>& outputs) {
  std::set<std::filesystem::path> paths;
  for (const Output& output : outputs) {
    std::error_code ignored;
    const std::filesystem::path path =
        output.path == "-" ? std::filesystem::path("-") : std::filesystem::weakly_canonical(output.path, ignored);
    const bool is_kept = output.path == "-" || !std::filesystem::exists(path, ignored) ||
                         std::filesystem::is_regular_file(path, ignored);  // a device takes what comes
    if (is_kept && !paths.insert(path).second)
      return absl::InvalidArgumentError(absl::StrCat("-o/--output: '", output.path,
                                                     output.path == "-" ? "' (stdout)" : "'",
                                                     " is given twice; each format needs its own"));
    if (output.path == "-") continue;
    if (output.format->is_folder) {
      TIDEMARK_RETURN_IF_ERROR(CheckChartFiles(output));
      continue;
    }
    // Who reads a pipe would take this look at it for its end.
    if (std::filesystem::is_fifo(path, ignored)) continue;
    const bool is_new = access(output.path.c_str(), F_OK) != 0;
    std::ofstream out(output.path, std::ios::binary | std::ios::app);
    if (!out)
      return absl::NotFoundError(absl::StrCat("-o/--output: '", output.path, "' cannot be written; check the folder"));
    out.close();
    if (is_new) unlink(output.path.c_str());
  }
  return absl::OkStatus();
}

void AddOutputFlag(CLI::App* app, bool is_json_alone, std::vector<std::string>* texts) {
  std::string forms = "json=FILE";
  for (const FormatRow& format : Formats()) {
    if (!is_json_alone && format.name != "json")
      absl::StrAppend(&forms, "|", format.name, format.is_folder ? "=FOLDER" : "=FILE");
  }
  app->add_option("-o,--output", *texts,
                  absl::StrCat("or ", is_json_alone ? "FILE.json" : FormatEndings(), "; - is stdout (repeatable)"))
      ->allow_extra_args(false)
      ->type_name(forms);
}

absl::StatusOr<Output> ParseOutput(const std::string& text) {
  for (const FormatRow& format : Formats()) {
    const std::string prefix = absl::StrCat(format.name, "=");
    if (!absl::StartsWith(text, prefix) || text.size() <= prefix.size()) continue;
    if (format.is_folder && text.substr(prefix.size()) == "-")
      return absl::InvalidArgumentError(
          absl::StrCat("-o/--output: '", text, "' is standard output; name a folder, as ", prefix, "charts"));
    return Output{.format = &format, .path = text.substr(prefix.size())};
  }
  for (const FormatRow& format : Formats()) {
    const std::string ending = absl::StrCat(".", format.name);
    if (!absl::EndsWith(text, ending) || text.size() <= ending.size()) continue;
    if (format.is_folder)
      return absl::InvalidArgumentError(absl::StrCat("-o/--output: '", InertText(text, 128), "' is a file; ",
                                                     format.name, " makes several, in a folder: write ", format.name,
                                                     "=FOLDER"));
    return Output{.format = &format, .path = text};
  }
  // As such files are usually called.
  if (absl::EndsWith(text, ".md") && text.size() > 3) return Output{.format = FindFormat("markdown"), .path = text};
  return absl::InvalidArgumentError(absl::StrCat("-o/--output: '", InertText(text, 128),
                                                 "' does not say in which form; write ", FormatEndings(),
                                                 ", or json=FILE"));
}

absl::StatusOr<std::vector<Output>> ParseOutputs(const std::vector<std::string>& texts) {
  std::vector<Output> outputs;
  for (const std::string& text : texts) {
    TIDEMARK_ASSIGN_OR_RETURN(Output output, ParseOutput(text));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

}  // namespace tidemark
