#include "coordinator/cli/plan_flags.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/check.h"
#include "common/inert_text.h"
#include "common/plan/durations.h"
#include "common/plan/schedule.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "protos/options.pb.h"

namespace tidemark {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status Blame(absl::string_view label, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(label, ": ", what));
}

// What is no time at all is meant for curl's -d.
absl::StatusOr<Nanos> ParseTime(absl::string_view label, const std::string& text) {
  auto length = ParseDuration(text);
  const bool is_data = absl::StartsWith(label, "-d") && text.find_first_of("={[@\"<") != std::string::npos;
  if (length.ok() || !is_data) return length;
  return absl::InvalidArgumentError(
      absl::StrCat("'", InertText(text, 64), "' is no duration, as 30s; a request's body is --data here"));
}

// Sets `field` of *message to what `text` says, or adds it to a list.
absl::Status Set(absl::string_view label, const std::string& text, const FieldDescriptor& field, Message* message) {
  const auto& how = *message->GetReflection();
  const bool is_list = field.is_repeated();
  const std::string& zero = field.options().GetExtension(proto::zero);
  const auto check_zero = [&](bool is_zero) {
    return is_zero && !zero.empty() ? Blame(label, absl::StrCat("0 ", zero)) : absl::OkStatus();
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      is_list ? how.AddString(message, &field, text) : how.SetString(message, &field, text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const auto time = ParseTime(label, text);
      if (!time.ok()) return Blame(label, time.status().message());
      how.MutableMessage(message, &field)->CopyFrom(ToDurationProto(*time));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      const auto rate = ParseRate(text);
      if (!rate.ok()) return Blame(label, rate.status().message());
      TIDEMARK_RETURN_IF_ERROR(check_zero(*rate == 0));
      is_list ? how.AddDouble(message, &field, *rate) : how.SetDouble(message, &field, *rate);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64: {
      const auto count = absl::EndsWith(field.name(), "_bytes") ? ParseBytes(text) : ParseCount(text);
      if (!count.ok()) return Blame(label, count.status().message());
      TIDEMARK_RETURN_IF_ERROR(check_zero(*count == 0));
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {  // what is too large for it is for the plan's limit too
        constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
        how.SetInt32(message, &field, static_cast<std::int32_t>(std::min(*count, kMost)));
      } else {
        is_list ? how.AddInt64(message, &field, *count) : how.SetInt64(message, &field, *count);
      }
      return absl::OkStatus();
    }
    default:
      CHECK(false);  // plan.proto gives no other field a flag
  }
}

}  // namespace

struct PlanFlags::Entry {
  std::vector<const FieldDescriptor*> fields;  // from the plan to the one that is set
  std::string path;
  std::string label;  // "-d/--duration"; empty: it was not added
  CLI::Option* option = nullptr;
  // As typed, one of:
  std::string text;
  std::vector<std::string> texts;
  bool is_on = false;

  const FieldDescriptor& field() const { return *fields.back(); }
  const proto::Flag& flag() const { return field().options().GetExtension(proto::flag); }
  bool IsGiven() const { return option != nullptr && option->count() > 0; }
  Message* MessageOf(proto::Plan* plan) const {
    Message* message = plan;
    for (std::size_t i = 0; i + 1 < fields.size(); ++i)
      message = message->GetReflection()->MutableMessage(message, fields[i]);
    return message;
  }
};

PlanFlags::PlanFlags() {
  const auto collect = [this](const auto& self, const Descriptor& type,
                              const std::vector<const FieldDescriptor*>& before) -> void {
    for (int i = 0; i < type.field_count(); ++i) {
      std::vector<const FieldDescriptor*> fields = before;
      fields.push_back(type.field(i));
      const FieldDescriptor& field = *fields.back();
      if (field.options().HasExtension(proto::flag)) {
        auto entry = std::make_unique<Entry>();
        for (const FieldDescriptor* part : fields)
          absl::StrAppend(&entry->path, entry->path.empty() ? "" : ".", part->name());
        entry->fields = fields;
        entries_.push_back(std::move(entry));
      }
      const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      if (is_message && !field.is_repeated() && !IsDuration(field.message_type()))
        self(self, *field.message_type(), fields);
    }
  };
  collect(collect, *proto::Plan::descriptor(), {});
}

PlanFlags::~PlanFlags() = default;

PlanFlags::Entry* PlanFlags::Find(absl::string_view path) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [path](const auto& e) { return e->path == path; });
  CHECK(found != entries_.end());
  return found->get();
}

void PlanFlags::AddGroup(absl::string_view name, bool is_run, CLI::App* group) {
  for (const auto& entry : entries_) {
    const proto::Flag& flag = entry->flag();
    if (flag.group() != name || (flag.is_of_run() && !is_run)) continue;
    const std::string& help = flag.help().empty() ? entry->field().options().GetExtension(proto::help) : flag.help();
    Add(entry->path, flag.names(), help, group);
  }
}

void PlanFlags::Add(absl::string_view path, const std::string& names, const std::string& help, CLI::App* group) {
  Entry* const entry = Find(path);
  const proto::Flag& flag = entry->flag();
  entry->label = absl::StrReplaceAll(names, {{",", "/"}});
  if (flag.value().empty()) {
    entry->option = group->add_flag(names, entry->is_on, help);
    return;
  }
  if (entry->field().is_repeated()) {
    entry->option = group->add_option(names, entry->texts, absl::StrCat(help, flag.is_split() ? "" : " (repeatable)"));
    entry->option->allow_extra_args(false);
    if (flag.is_split()) entry->option->delimiter(',');
  } else {
    entry->option = group->add_option(names, entry->text, help);
  }
  entry->option->type_name(flag.value());
}

bool PlanFlags::Has(absl::string_view path) const { return Find(path)->IsGiven(); }

absl::Status PlanFlags::ApplyTo(proto::Plan* plan) const {
  // First what makes way, so that two flags of which each takes the other's place are both there to be refused.
  for (const auto& entry : entries_) {
    if (!entry->IsGiven()) continue;
    Message* const message = entry->MessageOf(plan);
    const auto& how = *message->GetReflection();
    if (entry->field().is_repeated()) how.ClearField(message, &entry->field());
    for (const std::string& name : entry->flag().replaces())
      how.ClearField(message, message->GetDescriptor()->FindFieldByName(name));
  }
  for (const auto& entry : entries_) {
    if (!entry->IsGiven()) continue;
    Message* const message = entry->MessageOf(plan);
    const auto& how = *message->GetReflection();
    const FieldDescriptor* field = &entry->field();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
      how.SetBool(message, field, entry->is_on);
    } else if (entry->flag().value().empty()) {
      how.MutableMessage(message, field);
    } else if (field->is_repeated()) {
      for (const std::string& text : entry->texts) TIDEMARK_RETURN_IF_ERROR(Set(entry->label, text, *field, message));
    } else {
      const bool is_count = !entry->flag().counts().empty() && ParseCount(entry->text).ok();
      if (is_count) {
        how.ClearField(message, field);
        field = message->GetDescriptor()->FindFieldByName(entry->flag().counts());
      }
      TIDEMARK_RETURN_IF_ERROR(Set(entry->label, entry->text, *field, message));
    }
  }
  return absl::OkStatus();
}

}  // namespace tidemark
