#include "coordinator/cli/json_page.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <deque>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/check.h"
#include "protos/report_source.h"

namespace tidemark {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;

// The first ending that a name has.
constexpr std::pair<absl::string_view, absl::string_view> kUnits[] = {
    {"_per_s", "per second"},      {"_percent", "%"}, {"_us", "us"},  {"_ns", "ns"},
    {"_ppm", "parts per million"}, {"_s", "s"},       {"_bytes", "B"}};

std::string UnitOfField(const FieldDescriptor& field) {
  const bool is_number =
      field.cpp_type() != FieldDescriptor::CPPTYPE_STRING && field.cpp_type() != FieldDescriptor::CPPTYPE_BOOL;
  return std::string(is_number ? UnitOf(absl::string_view(field.name())) : "");
}

bool IsPlan(const Descriptor& type) { return type.name() == "Plan"; }

std::string KindOf(const FieldDescriptor& field) {
  std::string kind = "number";
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) kind = "text";
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) kind = "true or false";
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const std::string& name = field.message_type()->name();
    kind = absl::StrCat("[", name, "](", IsPlan(*field.message_type()) ? "plan.md" : "#" + absl::AsciiStrToLower(name),
                        ")");
  }
  return field.is_repeated() ? absl::StrCat("list of ", kind) : kind;
}

// A comment's lines as one.
std::string Line(absl::string_view comment) {
  std::string line(absl::StripAsciiWhitespace(comment));
  return absl::StrReplaceAll(line, {{"\n ", " "}, {"\n", " "}});
}

// Builds what protoc read, with its comments.
const DescriptorPool& Source() {
  static const DescriptorPool* const kPool = [] {
    auto* const pool = new DescriptorPool();
    google::protobuf::FileDescriptorSet files;
    CHECK(files.ParseFromArray(kReportSource, static_cast<int>(kReportSourceSize)));
    for (const auto& file : files.file()) CHECK(pool->BuildFile(file) != nullptr);
    return pool;
  }();
  return *kPool;
}

// The report's messages, in the order in which one is come to.
std::vector<const Descriptor*> Messages() {
  std::vector<const Descriptor*> messages;
  std::deque<const Descriptor*> left;
  std::set<const Descriptor*> seen;
  const auto add = [&](const Descriptor* type) {
    if (!IsPlan(*type) && seen.insert(type).second) left.push_back(type);
  };
  for (const char* root : {"tidemark.proto.Report", "tidemark.proto.SearchReport"}) {
    add(Source().FindMessageTypeByName(root));
    for (; !left.empty(); left.pop_front()) {
      messages.push_back(left.front());
      for (int i = 0; i < left.front()->field_count(); ++i) {
        if (const Descriptor* const type = left.front()->field(i)->message_type(); type != nullptr) add(type);
      }
    }
  }
  return messages;
}

std::vector<JsonField> FieldsOf(const Descriptor& type) {
  std::vector<JsonField> fields;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    google::protobuf::SourceLocation where;
    CHECK(field.GetSourceLocation(&where));
    const std::string before = Line(where.leading_comments);
    const std::string behind = Line(where.trailing_comments);
    fields.push_back({.message = type.name(),
                      .name = field.name(),
                      .is = KindOf(field),
                      .unit = UnitOfField(field),
                      .meaning = absl::StrCat(before, before.empty() || behind.empty() ? "" : " ", behind),
                      .may_be_missing = field.has_presence()});
  }
  return fields;
}

}  // namespace

absl::string_view UnitOf(absl::string_view name) {
  for (const auto& [ending, unit] : kUnits) {
    if (absl::EndsWith(name, ending)) return unit;
  }
  return absl::StrContains(name, "bytes") ? "B" : "";
}

std::vector<JsonField> JsonFields() {
  std::vector<JsonField> fields;
  for (const Descriptor* type : Messages()) {
    for (JsonField& field : FieldsOf(*type)) fields.push_back(std::move(field));
  }
  return fields;
}

std::string JsonPage() {
  std::string out =
      "# The JSON of a result\n\n`-o json=FILE` of `tidemark run` writes a Report, of `tidemark search` a "
      "SearchReport. "
      "Keys are never renamed. What may be missing was not measured, or there was nothing to measure it of; a zero was "
      "measured.\n";
  const auto cell = [](absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); };
  for (const Descriptor* type : Messages()) {
    google::protobuf::SourceLocation where;
    CHECK(type->GetSourceLocation(&where));
    const std::string what = Line(where.leading_comments);
    absl::StrAppend(&out, "\n## ", type->name(), "\n", what.empty() ? "" : absl::StrCat("\n", what, "\n"),
                    "\n| field | is | unit | may be missing | |\n|---|---|---|---|---|\n");
    for (const JsonField& field : FieldsOf(*type))
      absl::StrAppend(&out, "| `", field.name, "` | ", field.is, " | ", field.unit, " | ",
                      field.may_be_missing ? "yes" : "", " | ", cell(field.meaning), " |\n");
  }
  return out;
}

}  // namespace tidemark
