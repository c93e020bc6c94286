#include "common/plan/yaml_message.h"

#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/inert_text.h"
#include "common/plan/checks.h"
#include "common/plan/durations.h"
#include "common/status_macros.h"
#include "common/suggestion.h"
#include "common/units.h"
#include "protos/options.pb.h"

namespace tidemark {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxNodes = 100'000;

// Where a field of that name stands in a message of type `root`: in itself, or in a message that it holds.
std::string PathOf(absl::string_view name, const Descriptor& root) {
  if (root.FindFieldByName(std::string(name)) != nullptr) return std::string(name);
  for (int i = 0; i < root.field_count(); ++i) {
    const FieldDescriptor& field = *root.field(i);
    const bool is_inner = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field.message_type());
    if (is_inner && field.message_type()->FindFieldByName(std::string(name)) != nullptr)
      return absl::StrCat(field.name(), ".", name);
  }
  return "";
}

// What a key that `type` does not have may have been meant for, in a file of a `root`.
std::string Suggest(const std::string& unknown, const Descriptor& type, const Descriptor& root) {
  const PeerWord* const word = FindPeerWord(unknown, type.name());
  if (word != nullptr && !word->field.empty() &&
      root.FindFieldByName(std::string(word->field.substr(0, word->field.find('.')))) != nullptr)
    return absl::StrCat("it is ", word->field, " here", word->remark.empty() ? "" : ", ", word->remark);
  if (const std::string path = PathOf(unknown, root); !path.empty()) return absl::StrCat("it belongs at ", path);
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  const auto nearest = Nearest(unknown, names);
  return nearest ? absl::StrCat("did you mean '", *nearest, "'?")
                 : absl::StrCat("known here: ", absl::StrJoin(names, ", "));
}

// A text that YAML reads as something else if it has no quotes: what it was read as and how to write it, or "". What it
// holds may be a secret and is not repeated.
std::string WantsQuotes(const YAML::Node& node, bool is_in_brackets, bool is_list) {
  constexpr absl::string_view kWhole = "; write the whole value in single quotes, as '";
  if (node.IsNull())
    return "has no value: a '#', '&', '~' or null that is meant as text stands in quotes, and an empty text is ''";
  if (node.IsScalar()) {
    const std::string& tag = node.Tag();
    return tag.empty() || tag == "?" || tag == "!" || absl::StartsWith(tag, "tag:yaml.org,2002:")
               ? ""
               : "begins with '!', which YAML takes for a type; write the whole value in single quotes";
  }
  const bool is_flow = node.Style() == YAML::EmitterStyle::Flow && is_in_brackets;
  if (node.IsSequence())
    return is_flow ? absl::StrCat("begins with '[', which is a list in YAML", kWhole, "[...]'")
                   : "must be a single value";
  if (is_flow && is_list)
    return "begins with '{', which is a map in YAML; write a list, each text in single quotes, as ['NAME: VALUE']";
  if (is_flow) {
    const bool is_placeholder = node.size() == 1 && node.begin()->first.IsScalar() && node.begin()->second.IsNull();
    return absl::StrCat("begins with '{', which is a map in YAML", kWhole, "{",
                        is_placeholder ? InertText(node.begin()->first.Scalar(), 32) : "...", "}'");
  }
  if (node.size() != 1 || !node.begin()->first.IsScalar()) return "must be a single value";
  return absl::StrCat("has ': ' in it, which is a map in YAML", kWhole, InertText(node.begin()->first.Scalar(), 32),
                      ": ...'");
}

constexpr char kInQuotes[] = " stands in single quotes";

// A text, and where it is in its line, that would have to stand in quotes; no hint: none is known.
struct Unquoted {
  std::size_t column = 0;  // from 0
  std::string hint;
};

Unquoted BeginsWith(absl::string_view line, std::size_t at) {
  return {at, absl::StrCat("; a text that begins with '", line.substr(at, 1), "'", kInQuotes)};
}
Unquoted Has(absl::string_view what, std::size_t at) {
  return {at, absl::StrCat("; a text that has '", what, "' in it", kInQuotes)};
}

// Looks through lists [...] and maps {...} that are written in one line.
class FlowScan {
 public:
  // At `begin` is a bracket.
  FlowScan(absl::string_view line, std::size_t begin) : line_(line), begin_(begin), at_(begin) {}

  // The first text that ends elsewhere than was meant.
  Unquoted Look() {
    Unquoted found;
    while (at_ < line_.size() && found.hint.empty()) {
      const char c = line_[at_];
      if (c == ' ' || c == ',') {
        is_value_ = is_value_ && c == ' ';
        ++at_;
      } else if (c == '[' || c == '{') {
        ++depth_;
        is_value_ = false;
        ++at_;
      } else if (c == ']' || c == '}') {
        ++at_;
        if (--depth_ == 0) return IsOver(at_) ? Unquoted() : BeginsWith(line_, begin_);
      } else if (absl::StrContains("@`%*&!", absl::string_view(&c, 1))) {
        found = BeginsWith(line_, at_);
      } else {
        found = c == '\'' || c == '"' ? LookAtQuoted(c) : LookAtPlain();
      }
    }
    return found;
  }

 private:
  bool IsOver(std::size_t at) const {
    at = std::min(line_.find_first_not_of(" \r", at), line_.size());
    return at == line_.size() || (line_[at] == '#' && line_[at - 1] == ' ');
  }

  // After a text: ':' makes it a key.
  void EndText() {
    const std::size_t next = line_.find_first_not_of(' ', at_);
    is_value_ = next != absl::string_view::npos && line_[next] == ':';
    if (is_value_) at_ = next + 1;
  }

  Unquoted LookAtQuoted(char quote) {
    const std::size_t begin = at_++;
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '\\' && quote == '"') ++at_;
      if (c != quote) continue;
      if (quote == '\'' && at_ < line_.size() && line_[at_] == quote) {  // two stand for one
        ++at_;
        continue;
      }
      const std::size_t next = line_.find_first_not_of(' ', std::min(at_, line_.size()));
      if (next != absl::string_view::npos && !absl::StrContains(",]}:#", line_.substr(next, 1)))
        return {begin,
                absl::StrCat("; a text in quotes ends at the next ", line_.substr(begin, 1),
                             quote == '"' ? ", and one within is written \\\"" : ", and one within is written ''")};
      EndText();
      return {};
    }
    return {begin, "; the quote is not closed in its line"};
  }

  Unquoted LookAtPlain() {
    const std::size_t begin = at_;
    while (at_ < line_.size()) {
      const absl::string_view rest = line_.substr(at_);
      if (rest[0] == '[' || rest[0] == '{') return Has(rest.substr(0, 1), begin);
      if (absl::StrContains(",]}", rest.substr(0, 1))) break;
      if (absl::StartsWith(rest, " #")) return Has(" #", begin);
      if (absl::StartsWith(rest, ": ")) {
        if (is_value_) return Has(": ", begin);
        break;
      }
      ++at_;
    }
    EndText();
    return {};
  }

  const absl::string_view line_;
  const std::size_t begin_;
  std::size_t at_;
  int depth_ = 0;
  bool is_value_ = false;  // what comes has had its key
};

// What of `line` stops YAML from reading it and would not in quotes.
Unquoted FindUnquoted(absl::string_view line) {
  std::size_t at = std::min(line.find_first_not_of(' '), line.size());
  while (absl::StartsWith(line.substr(at), "- ")) at = std::min(line.find_first_not_of(' ', at + 2), line.size());
  const auto begins_with = [&](absl::string_view any) {
    return at < line.size() && absl::StrContains(any, line.substr(at, 1));
  };
  const std::size_t colon = line.find(": ", at);
  const bool is_value = !begins_with("@`%*&!{[") && colon != absl::string_view::npos;
  if (is_value) at = std::min(line.find_first_not_of(' ', colon + 2), line.size());
  if (begins_with("[{")) return FlowScan(line, at).Look();
  if (begins_with("@`%*&!")) return BeginsWith(line, at);
  const std::size_t next = line.find(": ", at);
  if (!is_value || next == absl::string_view::npos || begins_with("'\"")) return {};
  return Has(": ", at);
}

class Reader {
 public:
  // `lines` of the file outlive this.
  Reader(std::string name, std::string root, const Descriptor& type, const std::vector<absl::string_view>& lines)
      : name_(std::move(name)), root_(std::move(root)), type_(type), lines_(lines) {}

  absl::Status ReadMessage(const YAML::Node& node, const std::string& path, int depth, Message* message) {
    if (depth > kMaxDepth) return Error(node, path, "nested too deep");
    if (!node.IsMap()) return Error(node, path, "must be a map of fields");
    const Descriptor& type = *message->GetDescriptor();
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return Error(entry.first, path, "a field name must be plain text");
      const std::string& key = entry.first.Scalar();
      const std::string child = path.empty() ? key : absl::StrCat(path, ".", key);
      const FieldDescriptor* field = type.FindFieldByName(key);
      if (field == nullptr && entry.second.IsNull() && absl::StrContains(key, ':'))
        return ErrorAt(entry.first, InertText(key, 128), "unknown field; a space behind the ':' is missing");
      if (field == nullptr && node.Style() == YAML::EmitterStyle::Flow && entry.second.IsNull())
        return ErrorAt(entry.first, child.substr(0, 128),
                       "unknown field; if it is meant to be a part of the text before it, that one has ',' in it and "
                       "stands in single quotes");
      if (field == nullptr)
        return Error(entry.first, child.substr(0, 128), absl::StrCat("unknown field; ", Suggest(key, type, type_)));
      if (!seen.insert(key).second) return Error(entry.first, child, "is given twice");
      TIDEMARK_RETURN_IF_ERROR(ReadField(entry.second, child, depth, *field, message));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Error(const YAML::Node& node, const std::string& path, const std::string& what) const {
    const int line = node.Mark().line + 1;
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ":", std::max(line, 1), ": ", path.empty() ? root_ : path, ": ", what));
  }

  // What a node begins with: a map in a list need not have its own brackets.
  char CharacterOf(const YAML::Node& node) const {
    const YAML::Mark mark = node.Mark();
    if (mark.line < 0 || static_cast<std::size_t>(mark.line) >= lines_.size()) return 0;
    const absl::string_view line = lines_[static_cast<std::size_t>(mark.line)];
    return static_cast<std::size_t>(mark.column) < line.size() ? line[static_cast<std::size_t>(mark.column)] : 0;
  }

  // The same with the column, for what is to be found in a line.
  absl::Status ErrorAt(const YAML::Node& node, const std::string& path, const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ":", node.Mark().line + 1, ":", node.Mark().column + 1, ": ", path, ": ", what));
  }

  absl::Status ReadField(const YAML::Node& node, const std::string& path, int depth, const FieldDescriptor& field,
                         Message* message) {
    if (++nodes_ > kMaxNodes) return Error(node, path, "the file has too many entries");
    if (field.is_map()) return ReadMap(node, path, field, message);
    if (!field.is_repeated()) return ReadValue(node, path, depth, field, message);
    if (node.IsScalar()) return ReadValue(node, path, depth, field, message);  // one value stands for a list of one
    if (!node.IsSequence() && field.cpp_type() == FieldDescriptor::CPPTYPE_STRING)
      return ReadValue(node, path, depth, field, message);  // which says what is wrong
    if (!node.IsSequence()) return Error(node, path, "must be a list");
    // Read as one that was left out, it would mean the default, or no limit.
    if (node.size() == 0) return Error(node, path, "is an empty list; give it an entry, or leave the field out");
    for (const YAML::Node& item : node) TIDEMARK_RETURN_IF_ERROR(ReadValue(item, path, depth, field, message));
    return absl::OkStatus();
  }

  // Of texts by name.
  absl::Status ReadMap(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                       Message* message) {
    if (!node.IsMap()) return Error(node, path, "must be a map, as {name: value}");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (++nodes_ > kMaxNodes) return Error(node, path, "the file has too many entries");
      if (!entry.first.IsScalar()) return Error(entry.first, path, "a name must be plain text");
      const std::string& name = entry.first.Scalar();
      const std::string child = absl::StrCat(path, ".", InertText(name, 64));
      if (!seen.insert(name).second) return Error(entry.first, child, "is given twice");
      const char first = CharacterOf(entry.second);
      const std::string wants = WantsQuotes(entry.second, first == '{' || first == '[', false);
      if (!wants.empty())
        return entry.second.IsNull() ? Error(entry.first, child, wants) : ErrorAt(entry.second, child, wants);
      Message* const added = message->GetReflection()->AddMessage(message, &field);
      const auto& how = *added->GetReflection();
      how.SetString(added, field.message_type()->map_key(), name);
      how.SetString(added, field.message_type()->map_value(), entry.second.Scalar());
    }
    return absl::OkStatus();
  }

  absl::Status ReadValue(const YAML::Node& node, const std::string& path, int depth, const FieldDescriptor& field,
                         Message* message) {
    const Reflection& reflection = *message->GetReflection();
    const bool is_list = field.is_repeated();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* child = is_list ? reflection.AddMessage(message, &field) : reflection.MutableMessage(message, &field);
      if (!IsDuration(field.message_type())) return ReadMessage(node, path, depth + 1, child);
      const auto value =
          node.IsScalar() ? ParseDuration(node.Scalar()) : absl::InvalidArgumentError("must be a duration such as 30s");
      if (!value.ok()) return Error(node, path, std::string(value.status().message()));
      child->CopyFrom(ToDurationProto(*value));
      return absl::OkStatus();
    }
    if (field.type() == FieldDescriptor::TYPE_BYTES && node.IsScalar() && node.Tag() == "tag:yaml.org,2002:binary") {
      std::string bytes;
      if (!absl::Base64Unescape(node.Scalar(), &bytes)) return Error(node, path, "is !!binary, but not base64");
      reflection.SetString(message, &field, bytes);
      return absl::OkStatus();
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string wants = WantsQuotes(node, CharacterOf(node) == '{' || CharacterOf(node) == '[', is_list);
      // Of what is not there the parser knows the line alone.
      if (!wants.empty()) return node.IsNull() ? Error(node, path, wants) : ErrorAt(node, path, wants);
    }
    if (!node.IsScalar()) return Error(node, path, "must be a single value");
    const std::string& text = node.Scalar();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        is_list ? reflection.AddString(message, &field, text) : reflection.SetString(message, &field, text);
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false")
          return Error(node, path, absl::StrCat("'", text.substr(0, 64), "' is neither true nor false"));
        reflection.SetBool(message, &field, text == "true");
        return absl::OkStatus();
      default:
        break;
    }
    const std::string& zero = field.options().GetExtension(proto::zero);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
      const auto rate = ParseRate(text);
      if (!rate.ok()) return Error(node, path, std::string(rate.status().message()));
      if (*rate == 0 && !zero.empty()) return Error(node, path, absl::StrCat("0 ", zero));
      is_list ? reflection.AddDouble(message, &field, *rate) : reflection.SetDouble(message, &field, *rate);
      return absl::OkStatus();
    }
    const auto value = absl::EndsWith(field.name(), "_bytes") ? ParseBytes(text) : ParseCount(text);
    if (!value.ok()) return Error(node, path, std::string(value.status().message()));
    if (*value == 0 && !zero.empty()) return Error(node, path, absl::StrCat("0 ", zero));
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      if (*value > std::numeric_limits<std::int32_t>::max())
        return Error(node, path, absl::StrCat("'", text, "' is too large"));
      reflection.SetInt32(message, &field, static_cast<std::int32_t>(*value));
    } else {
      is_list ? reflection.AddInt64(message, &field, *value) : reflection.SetInt64(message, &field, *value);
    }
    return absl::OkStatus();
  }

  const std::string name_;
  const std::string root_;
  const Descriptor& type_;
  const std::vector<absl::string_view>& lines_;
  std::size_t nodes_ = 0;
};

void EmitMessage(const Message& message, YAML::Emitter* out);

// Whether it is text that YAML gives back as it is.
bool IsPrintable(absl::string_view text) {
  return IsUtf8(text) && std::none_of(text.begin(), text.end(), [](unsigned char c) {
           return (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f;
         });
}

void EmitValue(const Message& message, const FieldDescriptor& field, int index, YAML::Emitter* out) {
  const Reflection& reflection = *message.GetReflection();
  const bool is_list = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& child =
          is_list ? reflection.GetRepeatedMessage(message, &field, index) : reflection.GetMessage(message, &field);
      if (IsDuration(child.GetDescriptor())) {
        google::protobuf::Duration duration;
        duration.CopyFrom(child);
        *out << FormatDuration(FromProto(duration));
      } else {
        EmitMessage(child, out);
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      *out << reflection.GetBool(message, &field);
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      *out << reflection.GetInt32(message, &field);
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      *out << (is_list ? reflection.GetRepeatedInt64(message, &field, index) : reflection.GetInt64(message, &field));
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      *out << WriteRate(is_list ? reflection.GetRepeatedDouble(message, &field, index)
                                : reflection.GetDouble(message, &field));
      return;
    default:
      if (field.type() == FieldDescriptor::TYPE_BYTES && !IsPrintable(reflection.GetString(message, &field))) {
        const std::string bytes = reflection.GetString(message, &field);
        *out << YAML::Binary(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
        return;
      }
      *out << YAML::DoubleQuoted
           << (is_list ? reflection.GetRepeatedString(message, &field, index) : reflection.GetString(message, &field));
  }
}

void EmitMap(const Message& message, const FieldDescriptor& field, YAML::Emitter* out) {
  const Reflection& reflection = *message.GetReflection();
  std::map<std::string, std::string> sorted;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    const auto& how = *entry.GetReflection();
    sorted[how.GetString(entry, field.message_type()->map_key())] =
        how.GetString(entry, field.message_type()->map_value());
  }
  *out << YAML::BeginMap;
  for (const auto& [name, value] : sorted)
    *out << YAML::Key << YAML::DoubleQuoted << name << YAML::Value << YAML::DoubleQuoted << value;
  *out << YAML::EndMap;
}

void EmitMessage(const Message& message, YAML::Emitter* out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  *out << YAML::BeginMap;
  for (const FieldDescriptor* field : fields) {
    *out << YAML::Key << field->name() << YAML::Value;
    if (!field->is_repeated()) {
      EmitValue(message, *field, -1, out);
      continue;
    }
    if (field->is_map()) {
      EmitMap(message, *field, out);
      continue;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) *out << YAML::Flow;
    *out << YAML::BeginSeq;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) EmitValue(message, *field, i, out);
    *out << YAML::EndSeq;
  }
  *out << YAML::EndMap;
}

}  // namespace

absl::Status ParseYaml(absl::string_view text, const std::string& file, const std::string& root, Message* message) {
  if (text.size() > kMaxYamlBytes) return absl::InvalidArgumentError(absl::StrCat(file, ": larger than 4 MiB"));
  const bool is_text = std::none_of(text.begin(), text.end(), [](unsigned char c) { return c == 0; }) &&
                       !absl::StartsWith(text, "\xff\xfe") && !absl::StartsWith(text, "\xfe\xff");
  if (!is_text) return absl::InvalidArgumentError(absl::StrCat(file, ": is not text in UTF-8"));
  // yaml-cpp recurses with the nesting of flow collections: refuse before it runs out of stack.
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    if (depth > 100) return absl::InvalidArgumentError(absl::StrCat(file, ": nested too deep"));
  }
  if (absl::StrContains(text, "- - - - - - - - -") || absl::StrContains(text, "? ? ? ? ? ?")) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": nested too deep"));
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1)
      return absl::InvalidArgumentError(absl::StrCat(file, ": has ", documents.size(),
                                                     " documents, and one is read; take the '---' between them out"));
    const YAML::Node node = documents.empty() ? YAML::Node() : documents[0];
    if (!node || node.IsNull()) return absl::InvalidArgumentError(absl::StrCat(file, ": is empty"));
    return Reader(file, root, *message->GetDescriptor(), lines).ReadMessage(node, "", 0, message);
  } catch (const YAML::Exception& error) {
    // The parser may only notice in the next line.
    for (const int line : {error.mark.line, error.mark.line - 1}) {
      if (line < 0 || static_cast<std::size_t>(line) >= lines.size()) continue;
      const auto [column, hint] = FindUnquoted(lines[static_cast<std::size_t>(line)]);
      if (hint.empty()) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(file, ":", line + 1, ":", column + 1, ": not YAML: ", error.msg, hint));
    }
    return absl::InvalidArgumentError(absl::StrCat(file, ":", error.mark.line + 1, ": not YAML: ", error.msg));
  }
}

std::string PrintYaml(const Message& message) {
  YAML::Emitter out;
  EmitMessage(message, &out);
  return absl::StrCat(out.c_str(), "\n");
}

absl::StatusOr<std::string> ReadAll(std::istream& in, const std::string& name, std::size_t limit) {
  std::string text;
  char chunk[65536];
  while (in.read(chunk, sizeof chunk) || in.gcount() > 0) {
    text.append(chunk, static_cast<std::size_t>(in.gcount()));
    if (text.size() > limit)
      return absl::InvalidArgumentError(absl::StrCat(name, " is larger than ", limit >> 20, " MiB"));
  }
  if (in.bad()) return absl::NotFoundError(absl::StrCat(name, " cannot be read; is it a file?"));
  return text;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t limit) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("'", path, "' cannot be read; check the path"));
  return ReadAll(in, absl::StrCat("'", path, "'"), limit);
}

}  // namespace tidemark
