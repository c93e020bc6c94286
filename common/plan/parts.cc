#include "common/plan/parts.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/inert_text.h"

namespace tidemark {
namespace {

bool IsOfName(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::size_t NameLength(absl::string_view text) {
  if (text.empty() || !IsOfName(text[0]) || absl::ascii_isdigit(static_cast<unsigned char>(text[0]))) return 0;
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), IsOfName) - text.begin());
}

// What is in braces, as `{name}` or `{name:arguments}`, without them.
struct Braced {
  absl::string_view name = {};  // empty: nothing of that form
  absl::string_view arguments = {};
  bool has_arguments = false;
  std::size_t length = 0;  // with the braces
};

Braced BracedAt(absl::string_view text) {
  const std::size_t length = NameLength(text.substr(1));
  const absl::string_view rest = text.substr(std::min(text.size(), 1 + length));
  if (length == 0 || rest.empty()) return {};
  const absl::string_view name = text.substr(1, length);
  if (rest[0] == '}') return {.name = name, .length = length + 2};
  if (rest[0] != ':') return {};
  const std::size_t end = rest.find_first_of("{}\r\n");
  if (end == absl::string_view::npos || rest[end] != '}') return {};
  return {.name = name, .arguments = rest.substr(1, end - 1), .has_arguments = true, .length = length + 2 + end};
}

bool IsReference(const Braced& braced) {
  if (!braced.has_arguments) return false;
  return braced.name == "env" || (braced.name == "file" && absl::StartsWith(braced.arguments, "/"));
}

// Whether it is filled in, or was meant to be: else "{name:value}" is text of another language.
bool IsPlaceholder(const Braced& braced) {
  if (braced.name.empty()) return false;
  if (!braced.has_arguments || IsReference(braced)) return true;
  for (const absl::string_view name : {"slot", "now", "random", "uuid", "pick"}) {
    if (braced.name == name) return true;
  }
  return false;
}

absl::Status Bad(absl::string_view written, absl::string_view remedy) {
  const std::string text = InertText(written, 64);
  return absl::InvalidArgumentError(
      absl::StrCat("has ", text, ", which cannot be filled in; ", remedy, ", or {", text, "} for the text itself"));
}

absl::Status ReadNow(const Braced& braced, Part* part) {
  constexpr std::pair<absl::string_view, TimeForm> kForms[] = {{"s", TimeForm::kSeconds},
                                                               {"ms", TimeForm::kMillis},
                                                               {"us", TimeForm::kMicros},
                                                               {"ns", TimeForm::kNanos},
                                                               {"iso", TimeForm::kIso}};
  part->kind = Part::Kind::kNow;
  for (const auto& [name, form] : kForms) {
    if (braced.arguments != name) continue;
    part->form = form;
    return absl::OkStatus();
  }
  return Bad(part->written, "write {now:ms}, with s, ms, us, ns or iso");
}

absl::Status ReadRandom(const Braced& braced, Part* part) {
  part->kind = Part::Kind::kRandom;
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(braced.arguments, absl::MaxSplits("..", 1));
  const bool is_read = absl::SimpleAtoi(ends.first, &part->low) && absl::SimpleAtoi(ends.second, &part->high);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 4;
  if (is_read && part->low <= part->high && part->low >= -kMost && part->high <= kMost) return absl::OkStatus();
  return Bad(part->written, "write {random:1..100}, the least and the greatest");
}

absl::Status ReadPick(const Braced& braced, Part* part) {
  part->kind = Part::Kind::kPick;
  constexpr std::size_t kMostChoices = 10'000;
  part->choices = absl::StrSplit(braced.arguments, ',');
  if (!braced.arguments.empty() && part->choices.size() <= kMostChoices) return absl::OkStatus();
  return Bad(part->written, "write {pick:a,b,c}, up to 10000 of them");
}

absl::Status ReadBraced(const Braced& braced, Part* part) {
  if (IsReference(braced)) {
    part->kind = Part::Kind::kReference;
    return absl::OkStatus();
  }
  if (braced.name == "now") return ReadNow(braced, part);
  if (braced.name == "random") return ReadRandom(braced, part);
  if (braced.name == "pick") return ReadPick(braced, part);
  if (braced.name == "slot" || braced.name == "uuid") {
    part->kind = braced.name == "slot" ? Part::Kind::kSlot : Part::Kind::kUuid;
    return braced.has_arguments ? Bad(part->written, absl::StrCat("write {", braced.name, "}")) : absl::OkStatus();
  }
  if (braced.name == "env") return Bad(part->written, "write {env:NAME}");
  if (braced.name == "file") return Bad(part->written, "write {file:/PATH}");
  part->kind = Part::Kind::kName;
  return absl::OkStatus();
}

// The length of "{{name}}" or "{{name:arguments}}", if `text` begins so; else 0.
std::size_t DoubledLength(absl::string_view text) {
  if (!absl::StartsWith(text, "{{")) return 0;
  const Braced braced = BracedAt(text.substr(1));
  if (braced.name.empty() || !absl::StartsWith(text.substr(1 + braced.length), "}")) return 0;
  return braced.length + 2;
}

void AddLiteral(absl::string_view written, absl::string_view text, std::vector<Part>* parts) {
  if (written.empty()) return;
  parts->push_back({.written = written, .text = text});
}

}  // namespace

bool IsName(absl::string_view text) { return !text.empty() && NameLength(text) == text.size(); }

std::size_t PlaceholderLength(absl::string_view text) {
  if (!absl::StartsWith(text, "{")) return 0;
  const Braced braced = BracedAt(text);
  return IsPlaceholder(braced) ? braced.length : 0;
}

absl::StatusOr<std::vector<Part>> PartsOf(absl::string_view text) {
  std::vector<Part> parts;
  std::size_t done = 0;  // so much of it is in `parts`
  for (std::size_t at = text.find('{'); at != absl::string_view::npos; at = text.find('{', at)) {
    const absl::string_view rest = text.substr(at);
    if (const std::size_t doubled = DoubledLength(rest); doubled != 0) {
      AddLiteral(text.substr(done, at - done), text.substr(done, at - done), &parts);
      AddLiteral(rest.substr(0, doubled), rest.substr(1, doubled - 2), &parts);
      done = at += doubled;
      continue;
    }
    const Braced braced = BracedAt(rest);
    if (!IsPlaceholder(braced)) {
      ++at;
      continue;
    }
    AddLiteral(text.substr(done, at - done), text.substr(done, at - done), &parts);
    Part part{.written = rest.substr(0, braced.length), .text = rest.substr(1, braced.length - 2)};
    if (const absl::Status status = ReadBraced(braced, &part); !status.ok()) return status;
    parts.push_back(std::move(part));
    done = at += braced.length;
  }
  AddLiteral(text.substr(done), text.substr(done), &parts);
  return parts;
}

std::string Literally(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = DoubledLength(text);
    if (length == 0) length = PlaceholderLength(text);
    if (length == 0) {
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    absl::StrAppend(&out, "{", text.substr(0, length), "}");
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace tidemark
