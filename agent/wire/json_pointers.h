// Values at JSON pointers (RFC 6901) of a message, read without building a tree.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/clock.h"

namespace tidemark {

// Threads: one. A value is a view into the reader, valid until the next call of any function.
class JsonPointers {
 public:
  JsonPointers();
  ~JsonPointers();

  // The message that the next calls of Get look into.
  void Read(absl::string_view message);
  // Sets *value to the text of the string, number, true, false or null at `pointer`; false if there is none, or the
  // message is no JSON.
  bool Get(const std::string& pointer, absl::string_view* value);
  // An instant since 1970, in `unit`s or as kRfc3339 writes it; none if it is no plain decimal or no such text, or
  // beyond 64 bits of nanoseconds.
  struct Instant {
    Nanos at = 0;
    Nanos step = 0;  // of the last digit that is written
  };
  std::optional<Instant> GetInstant(const std::string& pointer, Nanos unit);
  // Appends the pairs of the array at `pointer`: the first two of each array in it, or "price" and "qty" of each
  // object, numbers as they are written. Nothing if there is no such array; false if one of its items is neither.
  bool GetPairs(const std::string& pointer, std::vector<std::pair<absl::string_view, absl::string_view>>* pairs);

  // Finds the items of the array at `pointer` ("": the message itself), as text; false if there is none, or it is
  // broken. They are views that are valid until the next Read.
  bool ReadItems(const std::string& pointer);
  const std::vector<absl::string_view>& items() const;
  // A reader for what is inside of such items; `level`: 1 for the items of this one, 2 for those of these, ...
  JsonPointers& Inner(std::size_t level);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace tidemark
