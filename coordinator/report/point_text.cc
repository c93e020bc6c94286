#include "coordinator/report/point_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/plan/sweep.h"
#include "common/units.h"
#include "coordinator/report/colours.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/mix_text.h"
#include "coordinator/report/phrases.h"
#include "coordinator/report/stream_text.h"
#include "coordinator/verdict/split.h"

namespace tidemark {
namespace {

// "p50 1.20ms +-1.3 %": how sure the quantiles of a point are.
void AppendIntervals(const proto::Latency& l, const std::string& who, std::string* out) {
  std::vector<std::string> parts;
  for (const proto::Interval& interval : l.intervals()) {
    const double centre = (interval.low_us() + interval.high_us()) / 2;
    const bool is_wide = interval.low_us() == 0;  // cut off there
    std::string name = interval.name().substr(0, interval.name().rfind('_'));
    std::replace(name.begin(), name.end(), '_', '.');
    parts.push_back(is_wide ? absl::StrCat(name, " more than +-100 %")
                            : absl::StrFormat("%s +-%.1f %%", name, (interval.high_us() - centre) / centre * 100));
  }
  if (!parts.empty())
    absl::StrAppend(out, "  Interval : ", who, absl::StrJoin(parts, ", "), " (95 %, from 20 spans of time)\n");
}

// How long the target served nobody, and how much of the connection time that was asked for there was, if not all.
void AppendService(const proto::Point& point, const std::string& who, bool is_explained, const Colours& colours,
                   std::string* out) {
  const bool has_missing = point.has_availability_percent() && point.availability_percent() < 100;
  if (point.dead_seconds() > 0 || has_missing) {
    absl::StrAppend(out, "  Service  : ", who);
    if (point.dead_seconds() > 0)
      absl::StrAppend(out, colours.red, "DEAD for ", point.dead_seconds(),
                      point.dead_seconds() == 1 ? " second" : " seconds", colours.reset, has_missing ? ", " : "");
    if (has_missing)
      absl::StrAppend(out, "connections up for ", Percent(point.availability_percent()), " % of the time asked for");
    absl::StrAppend(out, "\n");
  }
  if (point.generator_seconds() > 0)
    absl::StrAppend(out, "  Remark   : ", who, "nothing can be said of ", point.generator_seconds(),
                    point.generator_seconds() == 1 ? " second" : " seconds", ": the generator itself stood still\n");
  // Each connection of a closed loop drains one at most; more than a hundredth of all says something of the target.
  if (is_explained && point.accounting().drained() * 100 > point.total_requests())
    absl::StrAppend(out, "  Drained  : ", who, FormatCount(point.accounting().drained()),
                    " responses came after the end: they are in the latencies and totals, and in no rate\n");
}

// "p99 39.6ms: 0.1ms ours, 0.4ms network, 39.1ms target": where the time of the median and of the tail went.
void AppendSplits(const proto::Point& point, const std::string& who, bool is_open, bool is_explained,
                  std::string* out) {
  std::vector<std::string> parts;
  for (const proto::Split& split : point.splits()) {
    const bool is_told =
        split.name() == "p99_us" || (is_explained && (split.name() == "mean_us" || split.name() == "p50_us"));
    if (!is_told) continue;
    parts.push_back(absl::StrCat(ShownName(split.name()), " ", FormatLatency(split.whole_us()), ": ",
                                 FormatLatency(split.ours_us()), " ours, ", FormatLatency(split.network_us()),
                                 " network, ", FormatLatency(split.target_us()), " target"));
  }
  if (!parts.empty())
    absl::StrAppend(out, "  Split    : ", who, is_open ? "of the service time: " : "", absl::StrJoin(parts, "; "),
                    "\n");
}

// The first of the slowest requests; the JSON and the page have a hundred.
void AppendSlowest(const proto::Point& point, const std::string& who, std::string* out) {
  constexpr int kShown = 3;
  for (int i = 0; i < std::min(kShown, point.slowest_size()); ++i) {
    const proto::SlowRequest& request = point.slowest(i);
    absl::StrAppendFormat(out, "  Slowest  : %s%s, slot %d%s%s, sent %.3f s after the start by agent %d", who,
                          FormatLatency(request.took_us()), request.slot(), request.request().empty() ? "" : ", ",
                          request.request(), request.sent_s(), request.agent());
    if (request.has_port()) absl::StrAppend(out, " from port ", request.port());
    absl::StrAppend(out, ", ended as ", request.outcome(),
                    request.has_trace_id() ? absl::StrCat(", trace ", request.trace_id()) : "", "\n");
  }
}

// What was expected, what it came to, and how far from the limit that is. Those that are clearly met go without saying,
// but for the point that the answer is about.
void AppendExpected(const proto::Point& point, const std::string& who, bool is_all, const Colours& colours,
                    std::string* out) {
  for (const proto::Expected& expected : point.expected()) {
    if (!is_all && expected.is_met() && expected.is_clear()) continue;
    const std::string figure = ShownFigure(expected);
    const std::string margin = ShownMargin(expected);
    // What a latency is of is said where it need not be what comes to mind.
    const bool is_heard = expected.of() == "interval" || expected.of() == "staleness";
    absl::StrAppend(out, expected.is_met() ? "" : colours.red, "  Expected : ", who, expected.text(),
                    is_heard ? absl::StrCat(" of ", expected.of()) : "", expected.is_met() ? ": met" : ": MISSED",
                    expected.is_met() ? "" : colours.reset);
    if (!figure.empty()) absl::StrAppend(out, ", ", PlainFigures(figure));
    if (!margin.empty()) absl::StrAppend(out, ", ", PlainFigures(margin));
    absl::StrAppend(out,
                    expected.is_met_on_wire() ? ", but not clearly: on the wire it is met"
                    : expected.is_clear()     ? ""
                    : expected.has_low()      ? ", but not clearly: the limit is within its interval"
                                              : ", but not clearly: it is near the limit, and too little was measured "
                                                "for an interval",
                    "\n");
  }
}

}  // namespace

void AppendPointLines(const proto::Plan& plan, const proto::Point& point, const std::string& who, bool is_answer,
                      const TextOptions& options, std::string* out) {
  const Colours colours(options.has_color);
  const bool is_open = IsOpenLoop(plan.sweep());
  const bool is_counted = plan.sweep().requests() != 0 || plan.sweep().requests_per_connection() != 0;
  if (!point.verdict_reason().empty())
    absl::StrAppend(out, "  Verdict  : ", who, point.verdict(), ": ", point.verdict_reason(), "\n");
  if (options.is_explained) {
    for (const std::string& note : point.verdict_notes()) absl::StrAppend(out, "  Remark   : ", who, note, "\n");
  }
  AppendService(point, who, options.is_explained, colours, out);
  if (point.status() == "PARTIAL" && point.has_coverage_percent())
    absl::StrAppendFormat(out, "  Coverage : %s%.1f %% of the planned %s\n", who, point.coverage_percent(),
                          is_counted ? "requests" : "connection time");
  if (options.is_explained || is_answer) AppendSplits(point, who, is_open, options.is_explained, out);
  if (options.is_explained && point.app_to_wire().count() != 0 && point.wire().count() != 0) {
    absl::StrAppendFormat(out,
                          "  Stamps   : %s%s sampled; p50: %s to the wire, %s on it and in the target, %s back to us\n",
                          who, FormatCount(point.wire().count()), Quantile(point.app_to_wire(), "p50_us"),
                          Quantile(point.wire(), "p50_us"), Quantile(point.wire_to_app(), "p50_us"));
  }
  AppendMix(point, who, is_open, options.width, out);
  AppendStreams(point, who, out);
  AppendExpected(point, who, options.is_explained || is_answer, colours, out);
  if (options.is_explained) {
    AppendSlowest(point, who, out);
    const proto::Latency& heard = point.has_staleness() ? point.staleness() : point.interval();
    AppendIntervals(plan.web_socket().has_listen() ? heard : is_open ? point.response() : point.latency(), who, out);
  }
}

}  // namespace tidemark
