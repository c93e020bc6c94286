// The JSON that a page's script draws of.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "protos/report.pb.h"

namespace tidemark {

// Figures of charts: four digits are more than a pixel; "null" of what is not finite.
std::string FourDigitsText(double value);
std::string NumberList(const proto::Numbers& numbers);

// `text` as a JSON string.  REQUIRES: it is inert.
std::string JsonText(absl::string_view text);

// An object of what is there.
class JsonObject {
 public:
  JsonObject& Raw(absl::string_view name, absl::string_view json);
  JsonObject& Number(absl::string_view name, bool has_it, double value);      // in all its digits
  JsonObject& Text(absl::string_view name, absl::string_view text);           // as JsonText
  JsonObject& Column(absl::string_view name, const proto::Numbers& numbers);  // if it has any
  std::string Json() const;

 private:
  std::string text_;
};

// `json` as it may stand in a <script>: without "<".
std::string InScript(absl::string_view json);

}  // namespace tidemark
