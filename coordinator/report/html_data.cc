#include "coordinator/report/html_data.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "coordinator/report/decimal.h"

namespace tidemark {

std::string FourDigitsText(double value) {
  if (!std::isfinite(value)) return "null";
  if (value == 0) return "0";
  const double scale = std::pow(10, 3 - std::floor(std::log10(std::abs(value))));
  const double rounded = std::round(value * scale) / scale;
  return Decimal(std::isfinite(rounded) ? rounded : value);
}

std::string JsonText(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"<", "\\u003c"}}), "\"");
}

std::string NumberList(const proto::Numbers& numbers) {
  return absl::StrCat(
      "[",
      absl::StrJoin(numbers.list(), ",",
                    [](std::string* out, double value) { absl::StrAppend(out, FourDigitsText(value)); }),
      "]");
}

JsonObject& JsonObject::Raw(absl::string_view name, absl::string_view json) {
  absl::StrAppend(&text_, text_.empty() ? "" : ",", "\"", name, "\":", json);
  return *this;
}

JsonObject& JsonObject::Number(absl::string_view name, bool has_it, double value) {
  return has_it && std::isfinite(value) ? Raw(name, Decimal(value)) : *this;
}

JsonObject& JsonObject::Text(absl::string_view name, absl::string_view text) { return Raw(name, JsonText(text)); }

JsonObject& JsonObject::Column(absl::string_view name, const proto::Numbers& numbers) {
  return numbers.list().empty() ? *this : Raw(name, NumberList(numbers));
}

std::string JsonObject::Json() const { return absl::StrCat("{", text_, "}"); }

std::string InScript(absl::string_view json) { return absl::StrReplaceAll(json, {{"<", "\\u003c"}}); }

}  // namespace tidemark
