// Values at JSON pointers (RFC 6901) of a message, read without building a tree.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace tidemark {

// Threads: one. A value is a view into the reader, valid until the next Read.
class JsonPointers {
 public:
  JsonPointers();
  ~JsonPointers();

  // The message that the next calls of Get look into.
  void Read(absl::string_view message);
  // Sets *value to the text of the string or number at `pointer`; false if there is none, or the message is no JSON.
  bool Get(const std::string& pointer, absl::string_view* value);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace tidemark
