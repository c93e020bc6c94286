// Where in a message a value is, when one message may bring several events.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidemark {

// In the message (level 0), in an item of its array of events (1), in an item of an array in that (2), ...
struct Place {
  std::size_t level = 0;
  std::string pointer = {};  // JSON pointer within the message, or the item

  bool empty() const { return level == 0 && pointer.empty(); }
};

// The arrays on the way to the events, as pointers level by level: of "/events/*/trades" "/events" and "/trades", of
// "/*" the message itself, "". None of "". A "/*" at the end may be left out.
std::vector<std::string> ArraysOf(absl::string_view events);

// Where the pointer leads: with the arrays of "/data", "/data/*/ts" is "/ts" in an item, and "/ts" is in the message.
Place PlaceOf(const std::vector<std::string>& arrays, absl::string_view pointer);

}  // namespace tidemark
