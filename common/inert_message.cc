#include "common/inert_message.h"

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "common/inert_text.h"

namespace tidemark {

void MakeInert(google::protobuf::Message* message) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int size = field->is_repeated() ? reflection.FieldSize(*message, field) : 1;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      for (int i = 0; i < size; ++i)
        MakeInert(field->is_repeated() ? reflection.MutableRepeatedMessage(message, field, i)
                                       : reflection.MutableMessage(message, field));
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      std::string scratch;
      for (int i = 0; i < size; ++i) {
        const std::string& text = field->is_repeated()
                                      ? reflection.GetRepeatedStringReference(*message, field, i, &scratch)
                                      : reflection.GetStringReference(*message, field, &scratch);
        if (IsInertLine(text)) continue;
        const std::string inert = InertLine(text);
        field->is_repeated() ? reflection.SetRepeatedString(message, field, i, inert)
                             : reflection.SetString(message, field, inert);
      }
    }
  }
}

}  // namespace tidemark
