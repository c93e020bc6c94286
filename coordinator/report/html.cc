#include "coordinator/report/html.h"

#include <openssl/evp.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/check.h"
#include "coordinator/report/answer.h"
#include "coordinator/report/html_charts.h"
#include "coordinator/report/html_page.h"
#include "coordinator/report/html_sections.h"
#include "coordinator/report/html_table.h"

namespace tidemark {
namespace {

// 'sha256-...' of an inline script or style, as Content Security Policy names it.
std::string SourceHash(absl::string_view source) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(EVP_Digest(source.data(), source.size(), digest, &size, EVP_sha256(), nullptr) == 1);
  return absl::StrCat("'sha256-", absl::Base64Escape(absl::string_view(reinterpret_cast<const char*>(digest), size)),
                      "'");
}

std::string Headed(absl::string_view title, const std::string& content) {
  return content.empty() ? "" : absl::StrCat("<h2>", title, "</h2>\n", content);
}

}  // namespace

std::string HtmlDocument(absl::string_view title, absl::string_view content, absl::string_view data) {
  const std::string policy =
      absl::StrCat("default-src 'none'; script-src ", SourceHash(kPageLibrary), " ", SourceHash(kPageScript),
                   "; style-src ", SourceHash(kPageStyle), "; img-src data:; base-uri 'none'; form-action 'none'");
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"",
      policy, "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", Html(title),
      "</title>\n<style>", kPageStyle, "</style></head>\n<body><main>\n", content,
      "</main>\n<script type=\"application/json\" id=\"data\">", data, "</script>\n<script>", kPageLibrary,
      "</script>\n<script>", kPageScript, "</script>\n</body></html>\n");
}

std::string ToHtml(const proto::Report& report) {
  const Answer answer = AnswerOf(report);
  return HtmlDocument(answer.sentence,
                      absl::StrCat(AnswerSection(report, answer), SweepSection(report), LevelCharts(report),
                                   CurveChart(report, answer), TimeCharts(report), AgentCharts(report),
                                   Headed("Was the generator the limit?", GeneratorCharts(report)),
                                   AccountSection(report), MixSection(report, answer), SlowestSection(report, answer),
                                   StreamSection(report), RepeatSection(report), ReadingSection(report)),
                      ChartData(report, answer));
}

}  // namespace tidemark
