#include "coordinator/report/absent.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/stats/outcome.h"

namespace tidemark {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::vector<const FieldDescriptor*> FieldsOf(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

bool IsZero(const Message& message);

bool IsZero(const Message& message, const FieldDescriptor* field) {
  const auto& reflection = *message.GetReflection();
  if (field->is_repeated()) return false;  // an empty one is not listed
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return IsZero(reflection.GetMessage(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return !reflection.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field) == 0;
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, field) == 0;
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field) == 0;
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, field) == 0;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, field) == 0;
    default:
      return reflection.GetString(message, field).empty();
  }
}

bool IsZero(const Message& message) {
  if (const auto* const counts = dynamic_cast<const proto::Counts*>(&message)) {
    return std::all_of(counts->list().begin(), counts->list().end(),
                       [](const proto::Count& count) { return count.count() == 0; });
  }
  if (const auto* const numbers = dynamic_cast<const proto::Numbers*>(&message)) {
    return std::all_of(numbers->list().begin(), numbers->list().end(),
                       [](double number) { return number == 0 || !std::isfinite(number); });
  }
  for (const FieldDescriptor* field : FieldsOf(message)) {
    if (!IsZero(message, field)) return false;
  }
  return true;
}

// Of the counts in the field `list`.
void DropCounts(const Measured& measured, absl::string_view list, proto::Counts* counts) {
  auto* const all = counts->mutable_list();
  all->erase(std::remove_if(all->begin(), all->end(),
                            [&](const proto::Count& count) {
                              return count.count() == 0 && !measured.Has(absl::StrCat(list, ".", count.name()));
                            }),
             all->end());
}

void DropLatencies(const Measured& measured, proto::NamedLatencies* latencies) {
  auto* const all = latencies->mutable_list();
  all->erase(std::remove_if(all->begin(), all->end(),
                            [&](const proto::NamedLatency& named) {
                              return IsZero(named.latency()) && !measured.Has(absl::StrCat("Point.", named.name()));
                            }),
             all->end());
}

// A message that could not be read says nothing.
void DropFindingsOfNothing(proto::WebSocketCounts* counts) {
  std::uint64_t read = counts->messages();
  for (const proto::Count& count : counts->streams().list()) {
    if (count.name() == kFindingRows[static_cast<std::size_t>(Finding::kUnread)].json)
      read -= std::min<std::uint64_t>(read, count.count());
  }
  if (read != 0) return;
  auto* const all = counts->mutable_streams()->mutable_list();
  all->erase(std::remove_if(
                 all->begin(), all->end(),
                 [](const proto::Count& count) {
                   const auto row = std::find_if(kFindingRows.begin(), kFindingRows.end(),
                                                 [&](const EndRow& finding) { return finding.json == count.name(); });
                   return count.count() == 0 && IsOfMessages(static_cast<Finding>(row - kFindingRows.begin()));
                 }),
             all->end());
  if (all->empty()) counts->clear_streams();
}

}  // namespace

void DropUnmeasured(const Measured& measured, Message* message) {
  if (message->GetDescriptor() == proto::Plan::descriptor()) return;
  const auto* const reflection = message->GetReflection();
  for (const FieldDescriptor* field : FieldsOf(*message)) {
    const absl::string_view name = absl::StripPrefix(field->full_name(), "tidemark.proto.");
    if (!measured.Has(name) && IsZero(*message, field)) {
      reflection->ClearField(message, field);
      continue;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i)
        DropUnmeasured(measured, reflection->MutableRepeatedMessage(message, field, i));
      continue;
    }
    Message* const part = reflection->MutableMessage(message, field);
    DropUnmeasured(measured, part);
    if (auto* const counts = dynamic_cast<proto::Counts*>(part)) DropCounts(measured, field->name(), counts);
    if (auto* const latencies = dynamic_cast<proto::NamedLatencies*>(part)) {
      DropLatencies(measured, latencies);
      if (latencies->list().empty()) reflection->ClearField(message, field);
    }
  }
  if (auto* const counts = dynamic_cast<proto::WebSocketCounts*>(message)) DropFindingsOfNothing(counts);
}

}  // namespace tidemark
