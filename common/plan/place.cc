#include "common/plan/place.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tidemark {

std::vector<std::string> ArraysOf(absl::string_view events) {
  std::vector<std::string> arrays;
  if (events.empty()) return arrays;
  absl::ConsumeSuffix(&events, "/*");
  while (true) {
    const std::size_t star = events.find("/*/");
    arrays.emplace_back(events.substr(0, star));
    if (star == absl::string_view::npos) return arrays;
    events.remove_prefix(star + 2);
  }
}

Place PlaceOf(const std::vector<std::string>& arrays, absl::string_view pointer) {
  Place place;
  for (const std::string& array : arrays) {
    const std::string item = absl::StrCat(array, "/*");
    if (!absl::StartsWith(pointer, item) || (pointer.size() > item.size() && pointer[item.size()] != '/')) break;
    pointer.remove_prefix(item.size());
    ++place.level;
  }
  place.pointer = std::string(pointer);
  return place;
}

}  // namespace tidemark
