// Messages of somebody else, made harmless where they arrive.
#pragma once

#include <google/protobuf/message.h>

namespace tidemark {

// Makes every string in `message`, at any depth, an InertLine; what is of type bytes stays as it is.
void MakeInert(google::protobuf::Message* message);

}  // namespace tidemark
