#include "agent/guard/guarded_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// Of what cannot be opened: the real path of the nearest folder that is there, empty if a link on the way leads
// nowhere.
std::string NearestFolder(std::string path) {
  while (true) {
    struct stat info {};
    if (lstat(path.c_str(), &info) == 0) return RealPath(path);
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return RealPath(".");
    if (slash == 0) return "/";
    path.resize(slash);
  }
}

}  // namespace

std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  return real == nullptr ? "" : real.get();
}

absl::StatusOr<std::string> ReadGuardedFile(const std::string& path, std::size_t limit,
                                            const std::function<bool(const std::string& real)>& is_allowed) {
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", InertText(path, 256), "' ", what));
  };
  // A place, and no file yet: to open a device, or a pipe, does something.
  const Descriptor place(path.find('\0') == std::string::npos ? open(path.c_str(), O_PATH | O_CLOEXEC) : -1);
  if (place.get() < 0) {
    const int reason = errno;
    if (!is_allowed(absl::StrCat(NearestFolder(path), "/"))) return absl::PermissionDeniedError("");
    return error(absl::StrCat("cannot be read: ", std::strerror(reason)));
  }
  const std::string link = absl::StrCat("/proc/self/fd/", place.get());
  char real[PATH_MAX];
  const ssize_t length = readlink(link.c_str(), real, sizeof real);
  if (length <= 0 || !is_allowed(std::string(real, static_cast<std::size_t>(length))))
    return absl::PermissionDeniedError("");
  struct stat info {};
  if (fstat(place.get(), &info) != 0 || !S_ISREG(info.st_mode)) return error("is no regular file");
  const Descriptor file(open(link.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return error(absl::StrCat("cannot be read: ", std::strerror(errno)));
  std::string text(limit + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error(absl::StrCat("cannot be read: ", std::strerror(errno)));
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > limit) return error(absl::StrCat("is larger than ", limit >> 10, " KiB"));
  text.resize(size);
  return text;
}

}  // namespace tidemark
