#include "common/yaml_message.h"

#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/plan.h"
#include "common/status_macros.h"
#include "common/units.h"

namespace tidemark {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxNodes = 100'000;

// Levenshtein distance, for "did you mean".
std::size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string Suggest(absl::string_view unknown, const Descriptor& type) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, unknown.size() / 3) + 1;
  std::string all;
  for (int i = 0; i < type.field_count(); ++i) {
    const std::string& name = type.field(i)->name();
    const std::size_t distance = Distance(unknown.substr(0, 64), name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
    absl::StrAppend(&all, i == 0 ? "" : ", ", name);
  }
  return best.empty() ? absl::StrCat("known here: ", all) : absl::StrCat("did you mean '", best, "'?");
}

class Reader {
 public:
  Reader(std::string name, std::string root) : name_(std::move(name)), root_(std::move(root)) {}

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
      if (field == nullptr)
        return Error(entry.first, child.substr(0, 128), absl::StrCat("unknown field; ", Suggest(key, type)));
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

  absl::Status ReadField(const YAML::Node& node, const std::string& path, int depth, const FieldDescriptor& field,
                         Message* message) {
    if (++nodes_ > kMaxNodes) return Error(node, path, "the file has too many entries");
    if (!field.is_repeated()) return ReadValue(node, path, depth, field, message);
    if (node.IsScalar()) return ReadValue(node, path, depth, field, message);  // one value stands for a list of one
    if (!node.IsSequence()) return Error(node, path, "must be a list");
    for (const YAML::Node& item : node) TIDEMARK_RETURN_IF_ERROR(ReadValue(item, path, depth, field, message));
    return absl::OkStatus();
  }

  absl::Status ReadValue(const YAML::Node& node, const std::string& path, int depth, const FieldDescriptor& field,
                         Message* message) {
    const Reflection& reflection = *message->GetReflection();
    const bool is_list = field.is_repeated();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* child = is_list ? reflection.AddMessage(message, &field) : reflection.MutableMessage(message, &field);
      if (field.message_type()->full_name() != "google.protobuf.Duration")
        return ReadMessage(node, path, depth + 1, child);
      const auto value =
          node.IsScalar() ? ParseDuration(node.Scalar()) : absl::InvalidArgumentError("must be a duration such as 30s");
      if (!value.ok()) return Error(node, path, std::string(value.status().message()));
      child->CopyFrom(ToDurationProto(*value));
      return absl::OkStatus();
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
    const auto value = absl::EndsWith(field.name(), "_bytes") ? ParseBytes(text) : ParseCount(text);
    if (!value.ok()) return Error(node, path, std::string(value.status().message()));
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
  std::size_t nodes_ = 0;
};

void EmitMessage(const Message& message, YAML::Emitter* out);

void EmitValue(const Message& message, const FieldDescriptor& field, int index, YAML::Emitter* out) {
  const Reflection& reflection = *message.GetReflection();
  const bool is_list = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& child =
          is_list ? reflection.GetRepeatedMessage(message, &field, index) : reflection.GetMessage(message, &field);
      if (child.GetDescriptor()->full_name() == "google.protobuf.Duration") {
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
    default:
      *out << YAML::DoubleQuoted
           << (is_list ? reflection.GetRepeatedString(message, &field, index) : reflection.GetString(message, &field));
  }
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
  try {
    const YAML::Node node = YAML::Load(std::string(text));
    if (!node || node.IsNull()) return absl::InvalidArgumentError(absl::StrCat(file, ": is empty"));
    return Reader(file, root).ReadMessage(node, "", 0, message);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":", error.mark.line + 1, ": not YAML: ", error.msg));
  }
}

std::string PrintYaml(const Message& message) {
  YAML::Emitter out;
  EmitMessage(message, &out);
  return absl::StrCat(out.c_str(), "\n");
}

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t limit) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("'", path, "' cannot be read; check the path"));
  std::string text;
  char chunk[65536];
  while (in.read(chunk, sizeof chunk) || in.gcount() > 0) {
    text.append(chunk, static_cast<std::size_t>(in.gcount()));
    if (text.size() > limit)
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' is larger than ", limit >> 20, " MiB"));
  }
  if (in.bad()) return absl::NotFoundError(absl::StrCat("'", path, "' cannot be read; is it a file?"));
  return text;
}

}  // namespace tidemark
