#include "coordinator/report/read_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/inert_text.h"
#include "common/plan/durations.h"
#include "common/plan/limits.h"
#include "common/plan/sweep.h"
#include "common/plan/yaml_message.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using simdjson::dom::element;
using simdjson::dom::element_type;

// Deeper than any report is by half.
constexpr std::size_t kMaxDepth = 24;
constexpr std::size_t kMaxNames = 1'000;     // of an object whose keys are names
constexpr std::size_t kMaxNumbers = 10'000;  // of an array of numbers
constexpr std::int64_t kMaxBucket = 1'000;   // of a heat map; 2^(1000/4) us is no latency
constexpr double kMaxNumber = 1e18;

// simdjson's views are those of the library.
absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

const char* KindOf(const element& value) {
  switch (value.type()) {
    case element_type::ARRAY:
      return "a list";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "text";
    case element_type::BOOL:
      return "true or false";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

// A time is printed as one, and a negative one is none; but where a clock or its drift is meant.
bool MayBeNegative(absl::string_view field) {
  return !absl::EndsWith(field, "_us") || field == "target_clock_offset_us";
}

// Texts that are words of ours, which CSV has without quotes.
bool IsWord(const FieldDescriptor* field) {
  const auto* const message = field->containing_type();
  if (message != proto::Report::descriptor() && message != proto::Point::descriptor()) return false;
  const absl::string_view name = field->name();
  return name == "run" || name == "started_at" || name == "status" || name == "verdict" || name == "generator" ||
         name == "target";
}

bool HasWordsCharactersAlone(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':';
  });
}

// Fills messages by their fields' names. Threads: one.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  absl::Status Read(const element& value, Message* message);

 private:
  // A part of the place where reading is, while it is there.
  class Step {
   public:
    Step(Reader* reader, absl::string_view name) : reader_(reader), length_(reader->place_.size()) {
      absl::StrAppend(&reader->place_, reader->place_.empty() ? "" : ".", InertText(name, 64));
    }
    Step(Reader* reader, std::size_t index) : reader_(reader), length_(reader->place_.size()) {
      absl::StrAppend(&reader->place_, "[", index, "]");
    }
    ~Step() { reader_->place_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Reader* const reader_;
    const std::size_t length_;
  };

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("'", file_, "': ", place_, place_.empty() ? "" : " ", what, "; tidemark ", TIDEMARK_VERSION,
                     " writes none such: was it written by another version, or changed?"));
  }
  absl::Status WrongKind(const element& value, absl::string_view wanted) const {
    return Error(absl::StrCat("is ", KindOf(value), " instead of ", wanted));
  }

  absl::Status ReadNumber(const element& value, double* out) const;
  absl::Status ReadWhole(const element& value, std::int64_t least, std::int64_t most, std::int64_t* out) const;
  absl::Status ReadText(const element& value, std::string* out) const;
  absl::Status ReadValue(const element& value, Message* message, const FieldDescriptor* field);
  absl::Status ReadField(const element& value, Message* message, const FieldDescriptor* field);
  absl::Status ReadFields(const element& value, Message* message);
  absl::Status ReadDuration(const element& value, google::protobuf::Duration* out) const;
  absl::Status ReadNumbers(const element& value, proto::Numbers* out);
  absl::Status ReadHeatRow(const element& value, proto::HeatRow* out);
  // Of an object by name: `read` is given each value with its name.
  template <typename ReadNamed>
  absl::Status ReadNames(const element& value, ReadNamed read);

  const std::string& file_;
  std::string place_;  // "points[3].latency"
};

absl::Status Reader::ReadNumber(const element& value, double* out) const {
  if (value.get_double().get(*out) != simdjson::SUCCESS) return WrongKind(value, "a number");
  if (!(std::abs(*out) <= kMaxNumber)) return Error("is beyond 10^18");
  return absl::OkStatus();
}

absl::Status Reader::ReadWhole(const element& value, std::int64_t least, std::int64_t most, std::int64_t* out) const {
  double number = 0;
  TIDEMARK_RETURN_IF_ERROR(ReadNumber(value, &number));
  if (value.get_int64().get(*out) != simdjson::SUCCESS) {
    // Whole all the same, as other programs write one.
    if (number != std::floor(number)) return Error("is no whole number");
    *out = static_cast<std::int64_t>(number);
  }
  if (*out < least || *out > most) return Error(absl::StrCat("is ", *out, ", which is beyond ", least, " to ", most));
  return absl::OkStatus();
}

absl::Status Reader::ReadText(const element& value, std::string* out) const {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return WrongKind(value, "text");
  *out = InertText(View(text), text.size());
  return absl::OkStatus();
}

absl::Status Reader::ReadDuration(const element& value, google::protobuf::Duration* out) const {
  std::string text;
  TIDEMARK_RETURN_IF_ERROR(ReadText(value, &text));
  const absl::StatusOr<Nanos> duration = ParseDuration(text);
  if (!duration.ok()) return Error(absl::StrCat("is '", text.substr(0, 32), "', which is no duration"));
  *out = ToDurationProto(*duration);
  return absl::OkStatus();
}

template <typename ReadNamed>
absl::Status Reader::ReadNames(const element& value, ReadNamed read) {
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return WrongKind(value, "an object");
  if (object.size() > kMaxNames) return Error(absl::StrCat("has more than ", kMaxNames, " names"));
  for (const auto& [key, part] : object) {
    const Step step(this, View(key));
    TIDEMARK_RETURN_IF_ERROR(read(InertName(View(key)), part));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadNumbers(const element& value, proto::Numbers* out) {
  simdjson::dom::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return WrongKind(value, "a list");
  for (const element& item : array) {
    const Step step(this, static_cast<std::size_t>(out->list_size()));
    if (static_cast<std::size_t>(out->list_size()) == kMaxNumbers)
      return Error(absl::StrCat("is one more than the ", kMaxNumbers, " numbers that a list may have"));
    double number = std::numeric_limits<double>::quiet_NaN();
    if (!item.is_null()) TIDEMARK_RETURN_IF_ERROR(ReadNumber(item, &number));
    out->add_list(number);
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadHeatRow(const element& value, proto::HeatRow* out) {
  simdjson::dom::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return WrongKind(value, "a list");
  std::size_t index = 0;
  for (const element& item : array) {
    const Step step(this, index);
    if (static_cast<std::int64_t>(index) > kMaxBucket) return Error("is beyond what a heat map has");
    std::int64_t number = 0;
    TIDEMARK_RETURN_IF_ERROR(index == 0 ? ReadWhole(item, -1, kMaxBucket, &number)
                                        : ReadWhole(item, 0, static_cast<std::int64_t>(kMaxNumber), &number));
    if (index++ == 0) {
      out->set_first(static_cast<std::int32_t>(number));
    } else {
      out->add_counts(static_cast<std::uint64_t>(number));
    }
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadValue(const element& value, Message* message, const FieldDescriptor* field) {
  const auto& reflection = *message->GetReflection();
  const bool is_list = field->is_repeated();
  // Of the types that a report and its plan have: what each may be.
  const auto whole = [&](std::int64_t least, std::int64_t most, auto set, auto add) -> absl::Status {
    std::int64_t number = 0;
    TIDEMARK_RETURN_IF_ERROR(ReadWhole(value, least, most, &number));
    is_list ? add(number) : set(number);
    return absl::OkStatus();
  };
  constexpr auto kMost = static_cast<std::int64_t>(kMaxNumber);
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Read(value, is_list ? reflection.AddMessage(message, field) : reflection.MutableMessage(message, field));
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool is_true = false;
      if (value.get_bool().get(is_true) != simdjson::SUCCESS) return WrongKind(value, "true or false");
      is_list ? reflection.AddBool(message, field, is_true) : reflection.SetBool(message, field, is_true);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT32:
      return whole(
          std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max(),
          [&](std::int64_t n) { reflection.SetInt32(message, field, static_cast<std::int32_t>(n)); },
          [&](std::int64_t n) { reflection.AddInt32(message, field, static_cast<std::int32_t>(n)); });
    case FieldDescriptor::CPPTYPE_UINT32:
      return whole(
          0, std::numeric_limits<std::uint32_t>::max(),
          [&](std::int64_t n) { reflection.SetUInt32(message, field, static_cast<std::uint32_t>(n)); },
          [&](std::int64_t n) { reflection.AddUInt32(message, field, static_cast<std::uint32_t>(n)); });
    case FieldDescriptor::CPPTYPE_INT64:
      return whole(
          -kMost, kMost, [&](std::int64_t n) { reflection.SetInt64(message, field, n); },
          [&](std::int64_t n) { reflection.AddInt64(message, field, n); });
    case FieldDescriptor::CPPTYPE_UINT64:
      return whole(
          0, kMost, [&](std::int64_t n) { reflection.SetUInt64(message, field, static_cast<std::uint64_t>(n)); },
          [&](std::int64_t n) { reflection.AddUInt64(message, field, static_cast<std::uint64_t>(n)); });
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double number = 0;
      TIDEMARK_RETURN_IF_ERROR(ReadNumber(value, &number));
      if (number < 0 && !MayBeNegative(field->name())) return Error("is negative");
      is_list ? reflection.AddDouble(message, field, number) : reflection.SetDouble(message, field, number);
      return absl::OkStatus();
    }
    default: {
      std::string text;
      TIDEMARK_RETURN_IF_ERROR(ReadText(value, &text));
      if (IsWord(field) && !HasWordsCharactersAlone(text)) return Error("is no word");
      is_list ? reflection.AddString(message, field, std::move(text))
              : reflection.SetString(message, field, std::move(text));
      return absl::OkStatus();
    }
  }
}

absl::Status Reader::ReadField(const element& value, Message* message, const FieldDescriptor* field) {
  if (value.is_null()) return absl::OkStatus();  // it was not measured
  if (!field->is_repeated()) return ReadValue(value, message, field);
  simdjson::dom::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return WrongKind(value, "a list");
  // Of points some things are made with time that grows as their square.
  const bool is_of_points = field->message_type() == proto::Point::descriptor();
  std::size_t index = 0;
  for (const element& item : array) {
    const Step step(this, index);
    if (is_of_points && static_cast<std::int64_t>(index) == kMaxPoints)
      return Error(absl::StrCat("is one more than the ", kMaxPoints, " points that a sweep may have"));
    TIDEMARK_RETURN_IF_ERROR(ReadValue(item, message, field));
    ++index;
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadFields(const element& value, Message* message) {
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return WrongKind(value, "an object");
  std::vector<bool> is_read(static_cast<std::size_t>(message->GetDescriptor()->field_count()));
  for (const auto& [key, part] : object) {
    const Step step(this, View(key));
    const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(std::string(key));
    if (field == nullptr) return Error("is no field");
    if (is_read[static_cast<std::size_t>(field->index())]) return Error("is given twice");
    is_read[static_cast<std::size_t>(field->index())] = true;
    TIDEMARK_RETURN_IF_ERROR(ReadField(part, message, field));
  }
  return absl::OkStatus();
}

absl::Status Reader::Read(const element& value, Message* message) {
  if (auto* const duration = dynamic_cast<google::protobuf::Duration*>(message)) return ReadDuration(value, duration);
  if (auto* const numbers = dynamic_cast<proto::Numbers*>(message)) return ReadNumbers(value, numbers);
  if (auto* const row = dynamic_cast<proto::HeatRow*>(message)) return ReadHeatRow(value, row);
  if (auto* const counts = dynamic_cast<proto::Counts*>(message)) {
    return ReadNames(value, [&](std::string name, const element& part) -> absl::Status {
      std::int64_t number = 0;
      TIDEMARK_RETURN_IF_ERROR(ReadWhole(part, 0, static_cast<std::int64_t>(kMaxNumber), &number));
      proto::Count* const count = counts->add_list();
      count->set_name(std::move(name));
      count->set_count(static_cast<std::uint64_t>(number));
      return absl::OkStatus();
    });
  }
  if (auto* const latencies = dynamic_cast<proto::NamedLatencies*>(message)) {
    return ReadNames(value, [&](std::string name, const element& part) {
      proto::NamedLatency* const named = latencies->add_list();
      named->set_name(std::move(name));
      return Read(part, named->mutable_latency());
    });
  }
  return ReadFields(value, message);
}

bool Has(const element& value, const char* name, element_type type) {
  element found;
  return value.is_object() && value.at_key(name).get(found) == simdjson::SUCCESS && found.type() == type;
}

}  // namespace

absl::StatusOr<proto::Report> ParseReport(absl::string_view json, const std::string& file) {
  const auto refusal = [&file](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("'", file, "' is ", why));
  };
  simdjson::dom::parser parser;
  element value;
  simdjson::error_code error = parser.allocate(std::max<std::size_t>(json.size(), 1), kMaxDepth);
  if (error == simdjson::SUCCESS) error = parser.parse(json.data(), json.size()).get(value);
  if (error == simdjson::DEPTH_ERROR)
    return refusal(absl::StrCat("no result of tidemark: it is deeper than ", kMaxDepth));
  if (error != simdjson::SUCCESS)
    return refusal(absl::StrCat("no JSON (", simdjson::error_message(error), "); write a result with -o json=FILE"));
  if (Has(value, "trials", element_type::ARRAY))
    return refusal("the answer of a search, and no result of a run; its trials are in it");
  if (!Has(value, "points", element_type::ARRAY) || !Has(value, "agents", element_type::ARRAY) ||
      !Has(value, "plan", element_type::OBJECT))
    return refusal("no result of tidemark; write one with -o json=FILE");
  proto::Report report;
  TIDEMARK_RETURN_IF_ERROR(Reader(file).Read(value, &report));
  if (report.points().empty()) return refusal("the result of a run that had not begun its first point");
  if (IsOpenLoop(report.plan().sweep()) && report.plan().sweep().connections().empty())
    return refusal("no result of tidemark: an open loop without connections");
  return report;
}

absl::StatusOr<proto::Report> ReadReportFile(const std::string& path) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxReportBytes));
  return ParseReport(text, path);
}

}  // namespace tidemark
