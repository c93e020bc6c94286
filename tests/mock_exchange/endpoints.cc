#include "tests/mock_exchange/endpoints.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace tidemark {
namespace {

constexpr char kNoSuchPath[] = R"({"code":-1,"msg":"no such path"})";
constexpr char kBadSymbol[] = R"({"code":-1121,"msg":"Invalid symbol."})";
constexpr char kBadLimit[] =
    R"({"code":-1100,"msg":"Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."})";
constexpr int kDefaultDepth = 100;
constexpr int kMaxDepth = 5000;

// The value of query parameter `name`, empty if it is missing.
absl::string_view Parameter(absl::string_view query, absl::string_view name) {
  for (const absl::string_view item : absl::StrSplit(query, '&')) {
    if (absl::StartsWith(item, name) && item.size() > name.size() && item[name.size()] == '=')
      return item.substr(name.size() + 1);
  }
  return "";
}

bool IsSymbol(absl::string_view text) {
  return text.size() >= 2 && text.size() <= 20 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

std::string Side(int limit, double best, double step) {
  std::string out;
  for (int i = 0; i < limit; ++i) {
    absl::StrAppendFormat(&out, "%s[\"%.8f\",\"%.8f\"]", i == 0 ? "" : ",", best + step * i,
                          0.001 + 0.00013 * (i * 37 % 101));
  }
  return out;
}

EndpointAnswer Depth(absl::string_view query) {
  int limit = kDefaultDepth;
  const absl::string_view text = Parameter(query, "limit");
  if (!text.empty() && (!absl::SimpleAtoi(text, &limit) || limit < 1)) return {.status = 400, .body = kBadLimit};
  limit = std::min(limit, kMaxDepth);
  return {.body = absl::StrCat(R"({"lastUpdateId":1027024,"bids":[)", Side(limit, 43250.0, -0.01), R"(],"asks":[)",
                               Side(limit, 43250.01, 0.01), "]}")};
}

}  // namespace

EndpointAnswer AnswerOf(absl::string_view target, long long wall_millis) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(target, absl::MaxSplits('?', 1));
  const auto& [path, query] = parts;
  if (path == "/api/v3/ping") return {.body = "{}"};
  if (path == "/api/v3/time") return {.body = absl::StrCat(R"({"serverTime":)", wall_millis, "}")};
  if (path == "/") return {.body = "ok"};
  const bool needs_symbol =
      path == "/api/v3/ticker/price" || path == "/api/v3/ticker/bookTicker" || path == "/api/v3/depth";
  if (!needs_symbol) return {.status = 404, .body = kNoSuchPath};
  const absl::string_view symbol = Parameter(query, "symbol");
  if (!IsSymbol(symbol)) return {.status = 400, .body = kBadSymbol};
  if (path == "/api/v3/depth") return Depth(query);
  if (path == "/api/v3/ticker/price")
    return {.body = absl::StrCat(R"({"symbol":")", symbol, R"(","price":"43250.01000000"})")};
  return {
      .body = absl::StrCat(
          R"({"symbol":")", symbol,
          R"(","bidPrice":"43250.00000000","bidQty":"1.20000000","askPrice":"43250.01000000","askQty":"0.85000000"})")};
}

}  // namespace tidemark
