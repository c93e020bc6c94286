// Secrets of requests: references in a plan, values at the agent alone.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/guard/target_guard.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Puts the value of each "{env:NAME}" and "{file:/PATH}" into the requests' paths, headers and bodies, and the messages
// that open a WebSocket. A file loses its trailing newline. Takes time in proportion to what it reads and writes.
// Errors, none of which holds a value: PermissionDenied (the guard), InvalidArgument (not there, longer than 64 KiB,
// empty, with control characters, or more text than a body may have). The values are added to *values, each once,
// unless it is null.
absl::Status ResolveSecrets(const TargetGuard& guard, proto::Plan* plan, std::vector<std::string>* values = nullptr);

// The same in one text.
absl::Status FillSecrets(const TargetGuard& guard, std::string* text, std::vector<std::string>* values);

// From now on this process leaves no core dump, and no debugger may attach, but root's.
void KeepOutOfDumps();

// Takes secrets out of what a target says, in case that it says what it was told.  Threads: any.
class Masks {
 public:
  Masks() = default;
  // Of `values`, and of those headers of the resolved plan whose names sound like it (IsSecretHeader of
  // common/plan/headers.h): as they are, as JSON, URLs, HTML, base64, hexadecimal digits and Basic authentication write
  // them, in whatever case, and in pieces of eight characters. Of the plan's bodies, as they are.
  Masks(const std::vector<std::string>& values, const proto::Plan& plan);

  // `text` with "***" in the place of each. `is_cut`: more may follow, so that its end may be the beginning of a
  // secret.
  std::string Apply(const std::string& text, bool is_cut) const;

 private:
  void Add(absl::string_view secret);
  void AddPart(absl::string_view part);
  void AddBody(absl::string_view body);

  static constexpr std::size_t kPiece = 8;
  struct Form {
    std::string text;         // in lower case
    bool has_pieces = false;  // so many of its characters in a row are masked as well
    bool is_inner = false;    // it may begin anywhere, so that a few characters of it say nothing
    auto operator<=>(const Form&) const = default;
  };
  std::vector<Form> forms_;
};

}  // namespace tidemark
