#include "coordinator/report/json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>

#include <boost/json.hpp>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/plan/durations.h"
#include "common/units.h"
#include "coordinator/report/decimal.h"
#include "protos/plan.pb.h"
#include "protos/report.pb.h"

namespace tidemark {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void AppendMessage(const Message& message, std::string* out);

void AppendText(const std::string& text, std::string* out) {
  absl::StrAppend(out, std::string(boost::json::serialize(boost::json::string_view(text))));
}

// What is not finite stands for what was not measured.
std::string NumberOrNull(double value) { return std::isfinite(value) ? Decimal(value) : "null"; }

// Field `field` of `message`, or its element `index` if that is not negative.
void AppendValue(const Message& message, const FieldDescriptor* field, int index, std::string* out) {
  const auto& reflection = *message.GetReflection();
  const bool is_list = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendMessage(
          is_list ? reflection.GetRepeatedMessage(message, field, index) : reflection.GetMessage(message, field), out);
    case FieldDescriptor::CPPTYPE_BOOL:
      return absl::StrAppend(out, reflection.GetBool(message, field) ? "true" : "false");
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrAppend(out, reflection.GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrAppend(
          out, is_list ? reflection.GetRepeatedInt64(message, field, index) : reflection.GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrAppend(out, reflection.GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrAppend(out, reflection.GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      const double value =
          is_list ? reflection.GetRepeatedDouble(message, field, index) : reflection.GetDouble(message, field);
      return absl::StrAppend(out, NumberOrNull(value));
    }
    default:
      return AppendText(
          is_list ? reflection.GetRepeatedString(message, field, index) : reflection.GetString(message, field), out);
  }
}

bool IsPrinted(const Message& message, const FieldDescriptor* field) {
  const auto& reflection = *message.GetReflection();
  if (field->is_repeated()) return reflection.FieldSize(message, field) != 0;
  const bool is_of_plan = field->file() == proto::Plan::descriptor()->file();
  const bool is_number = field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE &&
                         field->cpp_type() != FieldDescriptor::CPPTYPE_STRING && !field->has_presence();
  return (is_number && !is_of_plan) || reflection.HasField(message, field);
}

void AppendMessage(const Message& message, std::string* out) {
  if (message.GetDescriptor()->full_name() == "google.protobuf.Duration") {
    google::protobuf::Duration duration;
    duration.CopyFrom(message);
    return AppendText(FormatDuration(FromProto(duration)), out);
  }
  if (const auto* const counts = dynamic_cast<const proto::Counts*>(&message)) {
    const auto entry = [](std::string* list, const proto::Count& count) {
      absl::StrAppend(list, "\"", count.name(), "\":", count.count());
    };
    return absl::StrAppend(out, "{", absl::StrJoin(counts->list(), ",", entry), "}");
  }
  if (const auto* const latencies = dynamic_cast<const proto::NamedLatencies*>(&message)) {
    const auto entry = [](std::string* list, const proto::NamedLatency& named) {
      absl::StrAppend(list, "\"", named.name(), "\":");
      AppendMessage(named.latency(), list);
    };
    return absl::StrAppend(out, "{", absl::StrJoin(latencies->list(), ",", entry), "}");
  }
  if (const auto* const numbers = dynamic_cast<const proto::Numbers*>(&message)) {
    const auto entry = [](std::string* list, double number) { absl::StrAppend(list, NumberOrNull(number)); };
    return absl::StrAppend(out, "[", absl::StrJoin(numbers->list(), ",", entry), "]");
  }
  if (const auto* const row = dynamic_cast<const proto::HeatRow*>(&message)) {
    if (row->counts().empty()) return absl::StrAppend(out, "[]");
    return absl::StrAppend(out, "[", row->first(), ",", absl::StrJoin(row->counts(), ","), "]");
  }
  out->push_back('{');
  const char* separator = "";
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (!IsPrinted(message, field)) continue;
    absl::StrAppend(out, separator, "\"", field->name(), "\":");
    separator = ",";
    if (!field->is_repeated()) {
      AppendValue(message, field, -1, out);
      continue;
    }
    const int size = message.GetReflection()->FieldSize(message, field);
    for (int k = 0; k < size; ++k) {
      out->push_back(k == 0 ? '[' : ',');
      AppendValue(message, field, k, out);
    }
    out->push_back(']');
  }
  out->push_back('}');
}

}  // namespace

std::string ToJson(const Message& message) {
  std::string out;
  AppendMessage(message, &out);
  return out + "\n";
}

}  // namespace tidemark
