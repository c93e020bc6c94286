#include "coordinator/cli/chart_files.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "coordinator/report/html_page.h"

namespace tidemark {
namespace {

constexpr int kMaxRunMs = 60'000;
constexpr std::size_t kMaxOutput = 512 << 20;

struct Program {
  const char* name;
  const char* package;  // Debian's
};
constexpr Program kDrawer = {"node", "nodejs"};
constexpr Program kPainter = {"rsvg-convert", "librsvg2-bin"};

absl::Status CheckProgram(const Program& program) {
  const char* const path = std::getenv("PATH");
  for (const absl::string_view folder : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    if (access(absl::StrCat(folder.empty() ? "." : folder, "/", program.name).c_str(), X_OK) == 0)
      return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("-o/--output: charts as files are made with ", program.name,
                                          ", which is not in PATH; install ", program.package));
}

// A file in memory, closed at the end.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("tidemark", MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }
  // And goes back to its begin.
  bool Write(absl::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return lseek(fd_, 0, SEEK_SET) == 0;
  }
  std::string Read() const {
    const off_t size = lseek(fd_, 0, SEEK_END);
    std::string text(static_cast<std::size_t>(std::clamp<off_t>(size, 0, kMaxOutput)), '\0');
    std::size_t at = 0;
    while (at < text.size()) {
      const ssize_t got = pread(fd_, text.data() + at, text.size() - at, static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      at += static_cast<std::size_t>(got);
    }
    text.resize(at);
    return text;
  }

 private:
  const int fd_;
};

// Whether it ended by itself, with 0, within a minute.
bool EndsWell(pid_t child) {
  // glibc 2.36 declares pidfd_open as if it were C++.
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  pollfd end = {.fd = fd, .events = POLLIN, .revents = 0};
  const bool is_over = fd >= 0 && poll(&end, 1, kMaxRunMs) == 1;
  if (fd >= 0) close(fd);
  if (!is_over) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return is_over && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// What `program` writes to its standard output, given `input`. What it says besides is the user's to read.
// Errors: NotFound if it is not there; Internal if it fails.
absl::StatusOr<std::string> OutputOf(const Program& program, std::vector<std::string> arguments,
                                     absl::string_view input) {
  TIDEMARK_RETURN_IF_ERROR(CheckProgram(program));
  const absl::Status error =
      absl::InternalError(absl::StrCat("-o/--output: ", program.name, " failed; the other files are written"));
  const MemoryFile in;
  const MemoryFile out;
  if (in.fd() < 0 || out.fd() < 0 || !in.Write(input)) return error;
  arguments.insert(arguments.begin(), program.name);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.fd(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.fd(), STDOUT_FILENO);
  pid_t child = 0;
  const int failure = posix_spawnp(&child, program.name, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0 || !EndsWell(child)) return error;
  return out.Read();
}

struct ChartFile {
  std::string name;
  std::string svg;
};

bool IsName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

absl::StatusOr<std::vector<ChartFile>> ChartsOf(const std::string& page) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string text,
                            OutputOf(kDrawer, {"-e", std::string(kPageFiles.data(), kPageFiles.size())}, page));
  const absl::Status error = absl::InternalError("-o/--output: what node wrote are no charts");
  boost::json::error_code failure;
  const boost::json::value value = boost::json::parse(text, failure);
  if (failure || !value.is_array()) return error;
  std::vector<ChartFile> charts;
  for (const boost::json::value& chart : value.as_array()) {
    const auto* const object = chart.if_object();
    const auto* const name = object == nullptr ? nullptr : object->if_contains("name");
    const auto* const svg = object == nullptr ? nullptr : object->if_contains("svg");
    if (name == nullptr || svg == nullptr || !name->is_string() || !svg->is_string()) return error;
    charts.push_back({.name = name->as_string().c_str(), .svg = svg->as_string().c_str()});
    if (!IsName(charts.back().name)) return error;
  }
  return charts;
}

bool IsPng(const Output& output) { return output.format->name == "png"; }

}  // namespace

absl::Status CheckChartFiles(const Output& output) {
  TIDEMARK_RETURN_IF_ERROR(CheckProgram(kDrawer));
  const std::string& folder = output.path;
  if (IsPng(output)) TIDEMARK_RETURN_IF_ERROR(CheckProgram(kPainter));
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (!std::filesystem::is_directory(folder, failure) || access(folder.c_str(), W_OK) != 0)
    return absl::NotFoundError(
        absl::StrCat("-o/--output: '", folder, "' is no folder that can be written; check the path"));
  return absl::OkStatus();
}

absl::Status WriteChartFiles(const std::string& page, const Output& output) {
  const bool is_png = IsPng(output);
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<ChartFile> charts, ChartsOf(page));
  if (charts.empty())
    return absl::FailedPreconditionError(
        "-o/--output: this result has no chart: nothing was measured, or one point shorter than three seconds");
  for (const ChartFile& chart : charts) {
    const std::string path = absl::StrCat(output.path, "/", chart.name, is_png ? ".png" : ".svg");
    std::string content = chart.svg;
    if (is_png) {
      TIDEMARK_ASSIGN_OR_RETURN(std::string picture, OutputOf(kPainter, {"--zoom", "2"}, content));
      content = std::move(picture);
    }
    TIDEMARK_RETURN_IF_ERROR(WriteFile(path, content));
  }
  return absl::OkStatus();
}

}  // namespace tidemark
