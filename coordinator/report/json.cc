#include "coordinator/report/json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>

#include <boost/json.hpp>
#include <cmath>

#include "common/plan.h"
#include "common/units.h"
#include "protos/report.pb.h"

namespace tidemark {
namespace {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

json::value ValueOf(const Message& message);

// Field `field` of `message`, or its element `index` if that is not negative.
json::value FieldValue(const Message& message, const FieldDescriptor* field, int index) {
  const auto& reflection = *message.GetReflection();
  const bool is_list = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ValueOf(is_list ? reflection.GetRepeatedMessage(message, field, index)
                             : reflection.GetMessage(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return is_list ? reflection.GetRepeatedInt64(message, field, index) : reflection.GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      const double value = reflection.GetDouble(message, field);
      return std::isfinite(value) ? json::value(value) : json::value(nullptr);
    }
    default: {
      const std::string text =
          is_list ? reflection.GetRepeatedString(message, field, index) : reflection.GetString(message, field);
      return json::value(json::string(text));
    }
  }
}

json::value ValueOf(const Message& message) {
  if (message.GetDescriptor()->full_name() == "google.protobuf.Duration") {
    google::protobuf::Duration duration;
    duration.CopyFrom(message);
    return json::value(json::string(FormatDuration(FromProto(duration))));
  }
  json::object object;
  if (const auto* const counts = dynamic_cast<const proto::Counts*>(&message)) {
    for (const proto::Count& count : counts->list()) object[count.name()] = count.count();
    return object;
  }
  if (const auto* const latencies = dynamic_cast<const proto::NamedLatencies*>(&message)) {
    for (const proto::NamedLatency& named : latencies->list()) object[named.name()] = ValueOf(named.latency());
    return object;
  }
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_repeated()) {
      const int size = reflection.FieldSize(message, field);
      if (size == 0) continue;
      json::array array;
      for (int k = 0; k < size; ++k) array.push_back(FieldValue(message, field, k));
      object[field->name()] = std::move(array);
    } else if (!field->has_presence() || reflection.HasField(message, field)) {
      object[field->name()] = FieldValue(message, field, -1);
    }
  }
  return object;
}

}  // namespace

std::string ToJson(const Message& message) { return json::serialize(ValueOf(message)) + "\n"; }

}  // namespace tidemark
