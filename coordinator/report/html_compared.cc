#include "coordinator/report/html_compared.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/units.h"
#include "coordinator/report/answer.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/html.h"
#include "coordinator/report/html_charts.h"
#include "coordinator/report/html_data.h"
#include "coordinator/report/html_sections.h"
#include "coordinator/report/html_table.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

using Side = std::vector<Result>;

constexpr std::size_t kMaxLines = 5;       // runs of a side that a chart over time draws
constexpr std::size_t kMaxRunsShown = 50;  // of a side, in the list of runs

// A level of any of the runs, and the points that each side has of it.
struct Level {
  std::string name;
  std::vector<std::pair<const proto::Report*, const proto::Point*>> sides[2] = {};
};

struct Sides {
  const Side& before;
  const Side& after;

  const proto::Report& first() const { return before[0].report; }
  // Whether all are of one kind, so that their levels are of one.
  bool AreOneKind() const {
    for (const Side* const side : {&before, &after}) {
      for (const Result& result : *side) {
        if (HasRates(result.report) != HasRates(first()) || IsListening(result.report) != IsListening(first()) ||
            IsOpenLoop(result.report) != IsOpenLoop(first()))
          return false;
      }
    }
    return true;
  }
  std::map<double, Level> Levels() const {
    std::map<double, Level> levels;
    for (int i = 0; i < 2; ++i) {
      for (const Result& result : i == 0 ? before : after) {
        for (const proto::Point& point : result.report.points()) {
          Level& level = levels[LevelValue(result.report, point)];
          level.name = LevelName(point);
          level.sides[i].emplace_back(&result.report, &point);
        }
      }
    }
    return levels;
  }
};

std::string Runs(std::size_t count) { return absl::StrCat(count, count == 1 ? " run" : " runs"); }

std::string ShortName(absl::string_view field) {
  return field == "mean_us" ? "mean" : field == "p50_us" ? "p50" : field == "p99_us" ? "p99" : "p99.9";
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// ---- the answer

std::string Ratio(double ratio) { return absl::StrFormat("%.3f", ratio); }

// "p99 at 128 connections is 1.12 times what it was (95 %: 1.10 to 1.15)".
std::string Said(const Sides& sides, const ComparedFigure& figure) {
  const Comparison& c = figure.comparison;
  return absl::StrCat(ShortName(figure.name), " at ", LevelOf(sides.first(), sides.first().points(figure.point)),
                      " is ", Ratio(c.ratio), " times what it was (95", kNoBreak, "%: ", Ratio(c.interval.low), " to ",
                      Ratio(c.interval.high), ")");
}

// Of those with that word the one that changed most; null if there is none.
const ComparedFigure* Most(const std::vector<ComparedFigure>& figures, Change change) {
  const ComparedFigure* most = nullptr;
  const auto size = [](const ComparedFigure& figure) { return std::abs(std::log(figure.comparison.ratio)); };
  for (const ComparedFigure& figure : figures) {
    if (figure.comparison.change == change && (most == nullptr || size(figure) > size(*most))) most = &figure;
  }
  return most;
}

Answer AnswerTo(const Sides& sides, const absl::StatusOr<std::vector<ComparedFigure>>& compared) {
  if (!compared.ok())
    return {.tone = Tone::kDoubtful,
            .word = "NOT COMPARED",
            .sentence = absl::StrCat(compared.status().message(), "."),
            .more = {"What follows shows the runs beside each other; which differences are chance is not said."}};
  const auto count = [&compared](Change change) {
    return std::count_if(compared->begin(), compared->end(),
                         [change](const ComparedFigure& figure) { return figure.comparison.change == change; });
  };
  const auto of_all = [&compared](std::int64_t some) {
    return absl::StrCat(some, " of ", compared->size(), compared->size() == 1 ? " figure" : " figures");
  };
  Answer answer;
  if (compared->front().is_indicative) {
    answer.word = "INDICATIVE";
    answer.sentence = "One run against one tells nothing of other runs: take ten a side, old and new in turn.";
  } else if (const ComparedFigure* const worst = Most(*compared, Change::kRegressed)) {
    answer.tone = Tone::kBad;
    answer.word = "REGRESSED";
    answer.sentence = absl::StrCat(of_all(count(Change::kRegressed)), " regressed: ", Said(sides, *worst),
                                   count(Change::kRegressed) > 1 ? ", which is the most." : ".");
  } else if (count(Change::kInconclusive) > 0) {
    int needed = 0;
    for (const ComparedFigure& figure : *compared) needed = std::max(needed, figure.comparison.runs_needed);
    answer.word = "INCONCLUSIVE";
    answer.sentence = absl::StrCat("Nothing is known to have regressed, but ", of_all(count(Change::kInconclusive)),
                                   " may have: about ", needed, " runs a side would tell.");
  } else if (const ComparedFigure* const best = Most(*compared, Change::kImproved)) {
    answer.tone = Tone::kGood;
    answer.word = "IMPROVED";
    answer.sentence =
        absl::StrCat(of_all(count(Change::kImproved)), " improved, none regressed: ", Said(sides, *best), ".");
  } else {
    answer.tone = Tone::kGood;
    answer.word = "EQUIVALENT";
    answer.sentence = absl::StrCat("Each figure lies within 3", kNoBreak, "% of what it was.");
  }
  return answer;
}

// ---- tables

HtmlColumn LevelColumn(const Sides& sides) { return {HasRates(sides.first()) ? "rate" : "conns"}; }

HtmlCell ChangeCell(const ComparedFigure& figure) {
  if (figure.is_indicative) return {"indicative", "warn"};
  const Change change = figure.comparison.change;
  const bool is_open = change == Change::kInconclusive;
  const bool is_bad = change == Change::kRegressed;
  return {absl::StrCat(is_bad    ? "✗"
                       : is_open ? "▲"
                                 : "✓",
                       kNoBreak, NameOf(change)),
          is_bad    ? "bad"
          : is_open ? "warn"
                    : "ok"};
}

std::string IntervalText(const ComparedFigure& figure) {
  if (!figure.is_indicative)
    return absl::StrCat(Ratio(figure.comparison.interval.low), " to ", Ratio(figure.comparison.interval.high));
  if (!figure.over_seconds) return "-";
  return absl::StrCat(Ratio(figure.over_seconds->low), " to ", Ratio(figure.over_seconds->high));
}

std::string FigureTable(const Sides& sides, const std::vector<ComparedFigure>& figures) {
  const bool is_indicative = figures.front().is_indicative;
  const bool has_open = Most(figures, Change::kInconclusive) != nullptr;
  std::vector<HtmlColumn> columns = {LevelColumn(sides), {"latency", true}, {"before"}, {"after"},
                                     {"ratio"},          {"verdict", true}, {"95 %"}};
  if (!is_indicative) columns.push_back({"p"});
  if (!is_indicative && has_open) columns.push_back({"runs a side that would tell"});
  HtmlTable table(columns);
  for (const ComparedFigure& figure : figures) {
    const Comparison& c = figure.comparison;
    std::vector<HtmlCell> cells = {LevelName(sides.first().points(figure.point)),
                                   ShortName(figure.name),
                                   ShownLatency(c.before),
                                   ShownLatency(c.after),
                                   Ratio(c.ratio),
                                   ChangeCell(figure),
                                   IntervalText(figure)};
    if (!is_indicative) cells.emplace_back(absl::StrFormat("%.3g", c.p_value));
    if (!is_indicative && has_open)
      cells.emplace_back(c.change == Change::kInconclusive ? absl::StrCat("about ", c.runs_needed) : "-");
    table.Row(std::move(cells));
  }
  return absl::StrCat(
      "<h2>What changed</h2>\n<p class=\"sub\">", Html(LatencyName(sides.first())), "; ratio: after / before, ",
      is_indicative ? "with the 95 % interval over the seconds of these two runs, which says nothing of "
                      "others"
                    : "of the medians of the runs, with its 95 % interval; p by Mann and Whitney",
      "</p>\n", table.ToHtml("What changed"));
}

using Points = std::vector<std::pair<const proto::Report*, const proto::Point*>>;

// The median of a quantile over the runs of a side, "≥" if it is a lower bound in any.
std::string MedianQuantile(const Points& points, absl::string_view name) {
  if (points.size() == 1) return ShownQuantile(HeadlineOf(*points[0].first, *points[0].second), name);
  std::vector<double> values;
  bool is_bound = false;
  const auto* const field = proto::Latency::descriptor()->FindFieldByName(std::string(name));
  for (const auto& [report, point] : points) {
    const proto::Latency& latency = HeadlineOf(*report, *point);
    if (!latency.GetReflection()->HasField(latency, field)) continue;
    values.push_back(latency.GetReflection()->GetDouble(latency, field));
    is_bound = is_bound || std::count(latency.at_least().begin(), latency.at_least().end(), name) != 0;
  }
  return values.empty() ? "-" : absl::StrCat(is_bound ? absl::StrCat("≥", kNoBreak) : "", ShownLatency(Median(values)));
}

std::string MedianRate(const Points& points) {
  std::vector<double> values;
  for (const auto& [report, point] : points) {
    const bool is_listening = IsListening(*report);
    if (is_listening ? point->has_messages_per_s() : point->has_success_per_s())
      values.push_back(is_listening ? point->messages_per_s() : point->success_per_s());
  }
  return values.empty() ? "-" : ShownRate(Median(values));
}

std::string MedianErrors(const Points& points) {
  std::vector<double> values;
  for (const auto& [report, point] : points) {
    if (point->has_error_rate_percent()) values.push_back(point->error_rate_percent());
  }
  return values.empty() ? "-" : Percent(Median(values));
}

// Of several runs the words with their counts.
HtmlCell Verdicts(const Points& points) {
  if (points.empty()) return "-";
  if (points.size() == 1) return VerdictCell(*points[0].second);
  std::map<std::string, int> counts;
  const proto::Point* other = points[0].second;
  for (const auto& [report, point] : points) {
    ++counts[point->verdict()];
    if (point->verdict() != "VALID") other = point;
  }
  if (counts.size() == 1) return VerdictCell(*other);
  std::vector<std::string> words;
  for (const auto& [word, count] : counts) words.push_back(absl::StrCat(count, " ", word));
  return {absl::StrJoin(words, ", "), VerdictCell(*other).css};
}

std::string SideBySide(const Sides& sides) {
  const bool is_listening = IsListening(sides.first());
  const std::string rate = is_listening ? "msg/s" : "req/s";
  std::vector<HtmlColumn> columns = {LevelColumn(sides)};
  for (const std::string& title : {rate, std::string("p50"), std::string("p99"), std::string("p99.9"),
                                   std::string("err %"), std::string("verdict")}) {
    const bool is_text = title == "verdict";
    columns.push_back({absl::StrCat(title, " before"), is_text});
    columns.push_back({"after", is_text});
  }
  HtmlTable table(columns);
  for (const auto& [value, level] : sides.Levels()) {
    std::vector<HtmlCell> cells = {level.name};
    const auto both = [&cells, &level = level](auto figure) {
      for (const Points& points : level.sides)
        cells.push_back(points.empty() ? HtmlCell("-") : HtmlCell(figure(points)));
    };
    both(MedianRate);
    for (const char* const name : {"p50_us", "p99_us", "p99_9_us"})
      both([name](const Points& points) { return MedianQuantile(points, name); });
    both(MedianErrors);
    both(Verdicts);
    table.Row(std::move(cells));
  }
  const bool is_one = sides.before.size() == 1 && sides.after.size() == 1;
  return absl::StrCat("<h2>Side by side</h2>\n<p class=\"sub\">", is_listening ? "messages" : "successes",
                      " per second, and the ", Html(LatencyName(sides.first())), is_one ? "" : "; medians of the runs",
                      "</p>\n", table.ToHtml("Side by side"));
}

std::string RunTable(const Sides& sides) {
  HtmlTable table({{"side"}, {"file", true}, {"run", true}, {"began", true}, {"agents"}, {"version", true}});
  std::string more;
  for (int i = 0; i < 2; ++i) {
    const Side& side = i == 0 ? sides.before : sides.after;
    for (std::size_t k = 0; k < std::min(kMaxRunsShown, side.size()); ++k) {
      const proto::Report& report = side[k].report;
      table.Row({i == 0 ? "before" : "after", side[k].path, report.run(), report.started_at(),
                 absl::StrCat(report.agents_size()), report.version()});
    }
    if (side.size() > kMaxRunsShown)
      absl::StrAppend(&more, "<p>... and ", side.size() - kMaxRunsShown,
                      i == 0 ? " more before.</p>" : " more after.</p>");
  }
  return absl::StrCat("<h2>The runs</h2>\n", table.ToHtml("The runs"), more);
}

// ---- charts

bool HasRate(const proto::Report& report, const proto::Point& point) {
  return IsListening(report) ? point.messages_per_s() > 0 : point.success_per_s() > 0;
}

template <typename Fact>
bool IsAnyPoint(const Sides& sides, Fact fact) {
  for (const Side* const side : {&sides.before, &sides.after}) {
    for (const Result& result : *side) {
      for (const proto::Point& point : result.report.points()) {
        if (fact(result.report, point)) return true;
      }
    }
  }
  return false;
}

std::string Charts(const Sides& sides) {
  const proto::Report& first = sides.first();
  const std::string rate_title = IsListening(first) ? "Messages per second" : "Throughput";
  const bool is_over_levels = sides.Levels().size() > 1;
  const auto has_rows = [](const proto::Report&, const proto::Point& p) {
    return p.columns().success().list_size() >= 3 || p.columns().messages().list_size() >= 3;
  };
  const auto has_latency = [](const proto::Report& report, const proto::Point& point) {
    return HeadlineOf(report, point).p50_us() > 0;
  };
  if (!is_over_levels && !IsAnyPoint(sides, has_rows)) return "";
  const std::string over = is_over_levels ? absl::StrCat(" over ", LevelTitle(first)) : " over time";
  const bool has_several = sides.before.size() > 1 || sides.after.size() > 1;
  const std::string which =
      absl::StrCat("grey, dashed: before",
                   is_over_levels && has_several ? "; each mark is a run, the line goes through the medians" : "",
                   is_over_levels ? "; hollow: not VALID" : "");
  const char* const ending = is_over_levels ? "" : "-time";
  std::string html;
  if (IsAnyPoint(sides, HasRate))
    html = Chart(absl::StrCat("compared-rate", ending), "", absl::StrCat(rate_title, over), which,
                 absl::StrCat(rate_title, over, ", before and after; the table below has its figures"), "");
  if (IsAnyPoint(sides, has_latency))
    absl::StrAppend(&html,
                    Chart(absl::StrCat("compared-latency", ending), "", absl::StrCat("Latency", over),
                          absl::StrCat(LatencyName(first), is_over_levels ? "; " : ", p99 of each second; ", which),
                          absl::StrCat("Latency", over, ", before and after; the table below has its figures"), ""));
  return html.empty() ? "" : absl::StrCat("<div class=\"grid\">", html, "</div>\n");
}

std::string RunData(const proto::Report& report, const proto::Point& point) {
  const proto::Latency& latency = HeadlineOf(report, point);
  const bool is_listening = IsListening(report);
  return JsonObject()
      .Number("rate", is_listening ? point.has_messages_per_s() : point.has_success_per_s(),
              is_listening ? point.messages_per_s() : point.success_per_s())
      .Number("p50_us", latency.has_p50_us(), latency.p50_us())
      .Number("p99_us", latency.has_p99_us(), latency.p99_us())
      .Raw("valid", point.verdict() == "VALID" ? "true" : "false")
      .Json();
}

// What charts of one level are drawn of: some runs of each side over time.
std::string TimeData(const Sides& sides) {
  std::vector<std::string> runs;
  for (int i = 0; i < 2; ++i) {
    const Side& side = i == 0 ? sides.before : sides.after;
    for (std::size_t k = 0; k < std::min(kMaxLines, side.size()); ++k) {
      const proto::Report& report = side[k].report;
      const proto::Columns& columns = report.points(0).columns();
      if (columns.p99_us().list().empty() && columns.success().list().empty() && columns.messages().list().empty())
        continue;
      runs.push_back(JsonObject()
                         .Number("side", true, i)
                         .Number("row_s", true, std::max(1u, columns.row_length_s()))
                         .Column("rate", IsListening(report) ? columns.messages() : columns.success())
                         .Column("p99_us", columns.p99_us())
                         .Json());
    }
  }
  return absl::StrCat("[", absl::StrJoin(runs, ",\n"), "]");
}

std::string DataOf(const Sides& sides) {
  JsonObject data;
  std::vector<std::string> points;
  const auto levels = sides.Levels();
  for (const auto& [value, level] : levels) {
    std::vector<std::string> both;
    for (const Points& side : level.sides) {
      std::vector<std::string> runs;
      for (const auto& [report, point] : side) runs.push_back(RunData(*report, *point));
      both.push_back(absl::StrCat("[", absl::StrJoin(runs, ","), "]"));
    }
    points.push_back(JsonObject()
                         .Number("level", true, value)
                         .Text("name", level.name)
                         .Raw("sides", absl::StrCat("[", absl::StrJoin(both, ","), "]"))
                         .Json());
  }
  data.Text("levels", LevelTitle(sides.first())).Raw("points", absl::StrCat("[", absl::StrJoin(points, ",\n"), "]"));
  if (levels.size() == 1) data.Raw("runs", TimeData(sides));
  return InScript(data.Json());
}

std::string Reading() {
  return absl::StrCat(
      "<h2>How to read this</h2>\n<dl>"
      "<dt>run</dt><dd>The unit of a comparison: a quantile of each run is one value, since the requests of a run "
      "depend on each other.</dd>"
      "<dt>regressed, improved</dt><dd>p is below 0.05, and the 95 % interval of after / before leaves 1 out.</dd>"
      "<dt>equivalent</dt><dd>That interval lies within 3 % of 1.</dd>"
      "<dt>inconclusive</dt><dd>Neither: more runs would tell.</dd>"
      "<dt>indicative</dt><dd>One run against one. Whatever the two differ by, two runs of one version may differ by "
      "as much.</dd></dl>\n");
}

}  // namespace

std::string ToHtml(const std::vector<Result>& before, const std::vector<Result>& after,
                   const absl::StatusOr<std::vector<ComparedFigure>>& compared) {
  const Sides sides = {before, after};
  const Answer answer = AnswerTo(sides, compared);
  const bool are_one_kind = sides.AreOneKind();
  const std::string head = absl::StrCat("<header><p class=\"meta\">tidemark ", Html(sides.first().version()), " · ",
                                        Html(sides.first().plan().target()), " · ", Runs(before.size()), " before, ",
                                        Runs(after.size()), " after</p>\n", AnswerHeading(answer), "</header>\n");
  return HtmlDocument(
      answer.sentence,
      absl::StrCat(head, compared.ok() ? FigureTable(sides, *compared) : "",
                   are_one_kind ? absl::StrCat(Charts(sides), SideBySide(sides))
                                : "<p>They are of different kinds, so that there is no scale for both.</p>\n",
                   RunTable(sides), Reading()),
      are_one_kind ? DataOf(sides) : R"({"points":[]})");
}

}  // namespace tidemark
