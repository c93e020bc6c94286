#include "coordinator/observe/terminal_frame.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/plan/durations.h"
#include "common/units.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/phrases.h"
#include "coordinator/verdict/verdict.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr std::size_t kSlowest = 3;    // agents that are shown of many
constexpr std::size_t kFewAgents = 2;  // of which each is shown
constexpr std::size_t kMaxBar = 15;
constexpr std::size_t kLeastBar = 5;
// Screens of fewer columns have no median in the table, and no ranges beside the sparklines.
constexpr std::size_t kNarrow = 68;

// The order in which lines give way when there are not rows enough: the last one first, and kAlways never.
enum Rank { kAlways, kHeading, kRate, kErrors, kTail, kKeys, kAgents, kGenerator, kMedian, kLoad, kSpace };

struct Row {
  Rank rank = kAlways;
  TerminalLine line = {};
  bool is_above = false;  // of the points that have ended
};

Nanos Left(Nanos length, Nanos gone) { return std::max<Nanos>(0, length - gone); }

// Since T0; 0 before it.
Nanos Running(const ShownRun& run) {
  return run.so_far.start == 0 ? 0 : std::max<Nanos>(0, run.now - run.so_far.start);
}

bool IsRunning(const ShownRun& run) { return run.so_far.start != 0 && run.now >= run.so_far.start; }

bool IsWaiting(const ShownRun& run) {
  return IsRunning(run) && (run.so_far.left > 0 || (run.point.length != 0 && Running(run) >= run.point.length));
}

std::string Wait(const ShownRun& run, absl::string_view what) {
  return absl::StrCat(what, " ", FormatClock(std::max<Nanos>(0, run.now - run.point_begin)));
}

// What is left of the current point by the plan; nothing where that ends with a count.
std::optional<Nanos> PointLeft(const ShownRun& run) {
  if (run.point.length == 0) return std::nullopt;
  return run.is_ended ? 0 : Left(run.point.length, Running(run));
}

// ... of all, with the warm-up of those that follow.
std::optional<Nanos> RunLeft(const ShownRun& run) {
  const std::optional<Nanos> point = PointLeft(run);
  if (!point) return std::nullopt;
  const Nanos following = run.is_last ? 0 : run.point.count - run.point.index - 1;
  const proto::Sweep& sweep = run.head.plan().sweep();
  const Nanos warmup = sweep.has_warmup() ? FromProto(sweep.warmup()) : 0;
  return *point + following * (run.point.length + warmup);
}

std::string Whereabouts(const ShownRun& run) {
  const proto::Plan& plan = run.head.plan();
  if (!run.is_begun) return absl::StrCat("opening the run, ", FormatClock(run.now - run.begin));
  const std::string point =
      run.point.count == 1 ? "" : absl::StrCat("point ", run.point.index + 1, " of ", run.point.count);
  const std::optional<Nanos> point_left = PointLeft(run);
  const std::optional<Nanos> run_left = RunLeft(run);
  if (!point_left) return absl::StrCat(point, point.empty() ? "" : ", ", FormatClock(run.now - run.begin), " so far");
  if (IsWaiting(run) && !run.is_ended)
    return absl::StrCat(point, point.empty() ? "" : ", ", "answers are waited for, at most ",
                        FormatDuration(FromProto(plan.sweep().has_drain() ? plan.sweep().drain() : plan.timeout())));
  const std::string bound = run.head.plan().sweep().until().empty() ? "" : " at most";
  if (point.empty()) return absl::StrCat(FormatClock(*point_left), " left", bound);
  return absl::StrCat(point, ", ", FormatClock(*point_left), " left; run: ", FormatClock(*run_left), " left", bound);
}

TerminalLine Title(const ShownRun& run, const Screen& screen) {
  TerminalLine line;
  line.Add("tidemark ", Paint::kBold).AddForeign(run.head.version(), Paint::kBold).Add("  ");
  line.AddForeign(run.head.plan().target());
  const std::size_t id = run.head.run().size();
  if (line.columns() + 2 + id <= screen.columns)
    line.FillTo(screen.columns - id).AddForeign(run.head.run(), Paint::kFaint);
  return line;
}

TerminalLine Load(const ShownRun& run, const Screen& screen) {
  const std::string right = Whereabouts(run);
  TerminalLine line;
  line.AddForeign(LoadLine(run.head), Paint::kFaint);
  if (right.size() + 2 >= screen.columns) return TerminalLine(right);
  const std::size_t room = screen.columns - right.size() - 2;
  if (line.columns() > room && room > 3) line.Cut(room - 3).Add("...", Paint::kFaint);
  return line.Cut(room).FillTo(room + 2).Add(right);
}

// The table's columns. What the last one has room for depends on the screen.
TerminalLine TableRow(const Screen& screen, absl::string_view name, absl::string_view rate, absl::string_view p50,
                      absl::string_view p99, absl::string_view errors, Paint paint, Paint errors_paint) {
  TerminalLine line;
  line.AddRight(name, 11, paint).AddRight(rate, 11, paint);
  if (screen.columns >= kNarrow) line.AddRight(p50, 10, paint);
  line.AddRight(p99, 10, paint).AddRight(errors, 9, errors_paint);
  return line.Add("  ");
}

Paint PaintOf(absl::string_view verdict) {
  if (verdict == Name(Verdict::kValid)) return Paint::kGood;
  const bool is_bad = verdict == Name(Verdict::kPartial) || verdict == Name(Verdict::kTargetFailing);
  return is_bad ? Paint::kBad : Paint::kWarning;
}

TerminalLine JudgedRow(const ShownRun& run, const proto::Point& point, const Screen& screen) {
  const bool is_listening = IsListening(run.head);
  const proto::Latency& latency = HeadlineOf(run.head, point);
  const std::string rate =
      !point.has_duration_s() ? "-" : ShownRate(is_listening ? point.messages_per_s() : point.requests_per_s());
  const bool has_failed = !is_listening && point.failed_requests() > 0;
  TerminalLine line = TableRow(screen, LevelName(point), rate, Quantile(latency, "p50_us"), Quantile(latency, "p99_us"),
                               is_listening ? "-" : FormatCount(point.failed_requests()), Paint::kPlain,
                               has_failed ? Paint::kBad : Paint::kPlain);
  return line.Add(point.verdict(), PaintOf(point.verdict()));
}

// "[########-------] ", or nothing if there is no room for it.
std::string Bar(double part, std::size_t room, bool is_utf8) {
  if (room < kLeastBar + 3) return "";
  const std::size_t cells = std::min(kMaxBar, room - 3);
  const auto full = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(cells));
  std::string bar = "[";
  for (std::size_t i = 0; i < cells; ++i) bar += i < full ? (is_utf8 ? "█" : "#") : (is_utf8 ? "░" : "-");
  return bar + "] ";
}

std::string Progression(const ShownRun& run, std::size_t room, bool is_utf8) {
  const PointSoFar& so_far = run.so_far;
  if (!IsRunning(run)) {
    if (so_far.up < run.point.connections)
      return absl::StrCat(FormatCount(static_cast<std::uint64_t>(so_far.up)), " up, ", Wait(run, "opening"));
    return Wait(run, run.head.plan().sweep().has_warmup() ? "warm-up" : "beginning");
  }
  if (IsWaiting(run)) {
    return so_far.left == 0 ? "ending" : absl::StrCat("waiting for the last ", FormatCount(so_far.left));
  }
  std::string text = FormatClock(Running(run));
  double part = 0;
  if (run.point.length != 0) {
    absl::StrAppend(&text, "/", FormatClock(run.point.length));
    part = static_cast<double>(Running(run)) / static_cast<double>(run.point.length);
  } else if (run.point.requests != 0) {
    absl::StrAppend(&text, ", ", FormatCount(so_far.done), "/", FormatCount(run.point.requests));
    part = static_cast<double>(so_far.done) / static_cast<double>(run.point.requests);
  }
  return Bar(part, room - std::min(room, text.size()), is_utf8) + text;
}

std::string LatencyOrDash(Nanos value) { return value <= 0 ? "-" : FormatLatency(static_cast<double>(value) / 1e3); }

TerminalLine CurrentRow(const ShownRun& run, const Screen& screen) {
  const PointSoFar& so_far = run.so_far;
  const std::string name =
      run.point.rate != 0 ? FormatRate(run.point.rate) : FormatCount(static_cast<std::uint64_t>(run.point.connections));
  const std::optional<double> rate = so_far.Rate();
  const bool has_failed = so_far.errors.value_or(0) > 0;
  const std::string marked = absl::StrCat(">", std::string(name.size() < 10 ? 10 - name.size() : 0, ' '), name);
  TerminalLine line = TableRow(screen, marked, rate ? ShownRate(*rate) : "-", LatencyOrDash(so_far.p50),
                               LatencyOrDash(so_far.p99), so_far.errors ? FormatCount(*so_far.errors) : "-",
                               Paint::kBold, has_failed ? Paint::kBad : Paint::kBold);
  const std::size_t room = screen.columns - std::min(screen.columns, line.columns());
  return line.Add(Progression(run, room, screen.is_utf8), Paint::kBold);
}

// The last second's figure, those before it, and how far they went. `text` makes a figure.
template <typename Text>
TerminalLine Curve(absl::string_view name, const std::vector<double>& values, const Screen& screen, Text text) {
  TerminalLine line;
  line.Add(" ").Add(name).FillTo(7);
  const bool has_last = !values.empty() && values.back() >= 0;
  line.AddRight(has_last ? text(values.back()) : "-", 11).Add("  ");
  constexpr std::size_t kRange = 22;
  const std::size_t taken = line.columns() + (screen.columns >= kNarrow ? kRange : 1);
  const std::size_t room = screen.columns - std::min(screen.columns, taken);
  const std::size_t shown = std::min(room, values.size());
  line.Add(Sparkline(values, room, screen.is_utf8));
  if (screen.columns < kNarrow) return line;
  std::vector<double> range(values.end() - static_cast<std::ptrdiff_t>(shown), values.end());
  range.erase(std::remove_if(range.begin(), range.end(), [](double value) { return value < 0; }), range.end());
  if (range.size() < 2) return line;
  const auto [least, greatest] = std::minmax_element(range.begin(), range.end());
  return line.Add(absl::StrCat("  ", text(*least), " to ", text(*greatest)), Paint::kFaint);
}

TerminalLine RateCurve(const ShownRun& run, const Screen& screen) {
  std::vector<double> values;
  for (const LiveSecond& second : run.seconds) values.push_back(second.per_s);
  return Curve(IsListening(run.head) ? "msg/s" : "req/s", values, screen, ShownRate);
}

TerminalLine LatencyCurve(const ShownRun& run, absl::string_view name, double LiveSecond::*figure,
                          const Screen& screen) {
  std::vector<double> values;
  for (const LiveSecond& second : run.seconds) values.push_back(second.*figure > 0 ? second.*figure : -1);
  return Curve(name, values, screen, FormatLatency);
}

TerminalLine Errors(const ShownRun& run) {
  const Failures& f = run.so_far.failures;
  const std::pair<const char*, std::uint64_t> kClasses[] = {
      {"4xx", f.status_4xx},       {"429", f.status_429},
      {"5xx", f.status_5xx},       {"other status", f.other_status},
      {"timed out", f.timed_out},  {"no answer", f.no_answer},
      {"never sent", f.never_sent}};
  std::vector<std::string> parts;
  for (const auto& [name, count] : kClasses) {
    if (count > 0) parts.push_back(absl::StrCat(name, " ", FormatCount(count)));
  }
  TerminalLine line(" errors");
  line.FillTo(12);
  return parts.empty() ? line.Add("none") : line.Add(absl::StrJoin(parts, "   "), Paint::kBad);
}

std::string Percentage(double share) { return absl::StrFormat("%.0f %%", share * 100); }

// What is said of an agent, beside its place.
struct Detail {
  bool has_rate = true;
  bool has_tail = true;
  bool has_lateness = true;
  bool has_cpu = true;
};

// "2,045/s p99 39.6ms cpu 2 %", of what is known.
std::string AgentFigures(const AgentSoFar& agent, const Detail& detail) {
  if (agent.is_lost) return "lost";
  std::vector<std::string> parts;
  if (detail.has_rate && agent.per_s >= 0) parts.push_back(absl::StrCat(ShownRate(agent.per_s), "/s"));
  if (detail.has_tail && agent.p99 >= 0) parts.push_back(absl::StrCat("p99 ", LatencyOrDash(agent.p99)));
  if (detail.has_lateness && agent.lateness_p99 >= 0)
    parts.push_back(absl::StrCat("late ", LatencyOrDash(agent.lateness_p99)));
  if (detail.has_cpu && agent.cpu >= 0) parts.push_back(absl::StrCat("cpu ", Percentage(agent.cpu)));
  if (parts.empty()) return absl::StrCat(FormatCount(static_cast<std::uint64_t>(agent.up)), " connections");
  return absl::StrJoin(parts, " ");
}

// Those that are shown, by their places: of many agents the slowest, which are those with the highest p99.
std::vector<std::size_t> ShownAgents(const std::vector<AgentSoFar>& agents) {
  const bool are_few = agents.size() <= kFewAgents;
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    if (are_few || (!agents[i].is_lost && agents[i].p99 >= 0)) shown.push_back(i);
  }
  if (are_few) return shown;
  const std::size_t count = std::min(shown.size(), kSlowest);
  std::partial_sort(shown.begin(), shown.begin() + static_cast<std::ptrdiff_t>(count), shown.end(),
                    [&agents](std::size_t a, std::size_t b) {
                      return std::make_pair(-agents[a].p99, a) < std::make_pair(-agents[b].p99, b);
                    });
  shown.resize(count);
  return shown;
}

TerminalLine AgentsInDetail(const std::vector<AgentSoFar>& agents, const std::vector<std::size_t>& shown,
                            const Detail& detail) {
  TerminalLine line(" agents");
  line.FillTo(12);
  if (agents.size() > kFewAgents) {
    const auto lost = static_cast<std::size_t>(
        std::count_if(agents.begin(), agents.end(), [](const AgentSoFar& agent) { return agent.is_lost; }));
    line.Add(absl::StrCat(FormatCount(agents.size() - lost), " up"));
    if (lost > 0) line.Add(absl::StrCat(", ", FormatCount(lost), " lost"), Paint::kBad);
    if (!shown.empty()) line.Add(absl::StrCat(", slowest ", shown.size(), ": "));
  }
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const AgentSoFar& agent = agents[shown[i]];
    if (i > 0) line.Add("   ");
    if (agents.size() > 1) line.Add(absl::StrCat(shown[i], ": "), Paint::kFaint);
    line.Add(AgentFigures(agent, detail), agent.is_lost ? Paint::kBad : Paint::kPlain);
  }
  return line;
}

// As many agents as are to be shown, in the detail for which there is room; else as many as there is room for.
TerminalLine Agents(const std::vector<AgentSoFar>& agents, const Screen& screen) {
  // Of the slowest it must be said how slow they are.
  const Detail least = agents.size() > kFewAgents ? Detail{.has_rate = false, .has_lateness = false, .has_cpu = false}
                                                  : Detail{.has_tail = false, .has_lateness = false};
  std::vector<std::size_t> shown = ShownAgents(agents);
  for (; shown.size() > 1; shown.pop_back()) {
    for (const Detail& detail : {Detail(), Detail{.has_lateness = false}, least}) {
      TerminalLine line = AgentsInDetail(agents, shown, detail);
      if (line.columns() <= screen.columns) return line;
    }
  }
  return AgentsInDetail(agents, shown, Detail());
}

TerminalLine GeneratorLine(const ShownRun& run, const Screen& screen) {
  TerminalLine line(" generator");
  line.FillTo(12);
  double highest = -1;
  for (const AgentSoFar& agent : *run.so_far.agents) {
    if (!agent.is_lost) highest = std::max(highest, agent.cpu);
  }
  std::vector<std::string> parts;
  const double lateness = run.seconds.empty() ? -1 : run.seconds.back().lateness_p99_us;
  if (lateness >= 0) parts.push_back(absl::StrCat("lateness p99 ", FormatLatency(lateness)));
  if (run.so_far.clock_error > 0)
    parts.push_back(absl::StrCat("clocks ", screen.is_utf8 ? "±" : "+-", LatencyOrDash(run.so_far.clock_error / 2)));
  if (highest >= 0) {
    line.Add(absl::StrCat("cpu ", run.so_far.agents->size() > 1 ? "at most " : "", Percentage(highest)),
             highest > gate::kWorkerCpu ? Paint::kBad : Paint::kPlain);
    if (highest > gate::kWorkerCpu) line.Add(absl::StrCat(", above ", Percentage(gate::kWorkerCpu)), Paint::kBad);
    if (!parts.empty()) line.Add(", ");
  }
  if (parts.empty() && highest < 0) line.Add("-");
  return line.Add(absl::StrJoin(parts, ", "));
}

TerminalLine Message(const ShownRun& run) {
  TerminalLine line(" ! ", Paint::kWarning);
  if (run.messages > 1) line.Add(absl::StrCat("(", run.messages, " messages) "), Paint::kWarning);
  return line.AddForeign(run.message, Paint::kWarning);
}

TerminalLine Keys(const ShownRun& run, const Screen& screen) {
  const bool has_more = !run.is_begun || run.point.index + 1 < run.point.count;
  if (run.is_last && has_more)
    return TerminalLine(" ends after this point; Ctrl-C ends now, again: at once", Paint::kFaint);
  if (screen.has_keys && has_more)
    return TerminalLine(" q ends after this point, Ctrl-C now, again: at once", Paint::kFaint);
  return TerminalLine(" Ctrl-C ends the run in order, again: at once", Paint::kFaint);
}

std::vector<Row> Above(const ShownRun& run, const Screen& screen) {
  std::vector<Row> rows = {{kHeading, Title(run, screen), true},
                           {run.is_begun ? kLoad : kAlways, Load(run, screen), true}};
  if (!run.is_begun) return rows;
  rows.push_back({kSpace, {}, true});
  TerminalLine titles =
      TableRow(screen, HasRates(run.head) ? "rate" : "conns", IsListening(run.head) ? "msg/s" : "req/s", "p50", "p99",
               "errors", Paint::kBold, Paint::kBold);
  rows.push_back({kHeading, titles.Add("verdict", Paint::kBold), true});
  return rows;
}

// The current point, and what stands below the table.
std::vector<Row> Below(const ShownRun& run, const Screen& screen) {
  std::vector<Row> rows;
  if (run.is_begun) {
    if (!run.is_ended) rows.push_back({kAlways, CurrentRow(run, screen)});
    rows.push_back({kSpace, {}});
    rows.push_back({kRate, RateCurve(run, screen)});
    rows.push_back({kMedian, LatencyCurve(run, "p50", &LiveSecond::p50_us, screen)});
    rows.push_back({kTail, LatencyCurve(run, "p99", &LiveSecond::p99_us, screen)});
    rows.push_back({kSpace, {}});
    if (run.so_far.errors) rows.push_back({kErrors, Errors(run)});
    if (run.so_far.agents != nullptr && !run.so_far.agents->empty()) {
      rows.push_back({kAgents, Agents(*run.so_far.agents, screen)});
      rows.push_back({kGenerator, GeneratorLine(run, screen)});
    }
  }
  rows.push_back({kSpace, {}});
  if (!run.message.empty()) rows.push_back({kKeys, Message(run)});
  rows.push_back({kKeys, Keys(run, screen)});
  return rows;
}

// Takes away rows of the last ranks, and of a rank the last ones, until so many are left.
void MakeRoom(std::size_t most, std::vector<Row>* rows) {
  while (rows->size() > most) {
    const auto last =
        std::max_element(rows->rbegin(), rows->rend(), [](const Row& a, const Row& b) { return a.rank < b.rank; });
    rows->erase(std::next(last).base());
  }
}

}  // namespace

std::string FormatClock(Nanos time) {
  const std::int64_t seconds = time / kSecond;
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string Sparkline(const std::vector<double>& values, std::size_t columns, bool is_utf8) {
  constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr const char* kAscii[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
  constexpr int kLevels = 8;
  const std::size_t first = values.size() - std::min(values.size(), columns);
  double least = 0;
  double greatest = -1;
  for (std::size_t i = first; i < values.size(); ++i) {
    if (values[i] < 0) continue;
    least = greatest < 0 ? values[i] : std::min(least, values[i]);
    greatest = std::max(greatest, values[i]);
  }
  std::string line;
  for (std::size_t i = first; i < values.size(); ++i) {
    if (values[i] < 0) {
      line += " ";
      continue;
    }
    const double part = greatest > least ? (values[i] - least) / (greatest - least) : 0.5;
    const int level = std::clamp(static_cast<int>(part * kLevels), 0, kLevels - 1);
    line += is_utf8 ? kBlocks[level] : kAscii[level];
  }
  return line;
}

std::vector<TerminalLine> MakeFrame(const ShownRun& run, const Screen& screen) {
  std::vector<Row> rows = Above(run, screen);
  std::vector<Row> below = Below(run, screen);
  rows.insert(rows.end(), std::make_move_iterator(below.begin()), std::make_move_iterator(below.end()));
  // The points that have ended get what is left of the screen, and a row of it in any case.
  const std::size_t reserved = run.judged.empty() || screen.rows < 2 ? 0 : 1;
  MakeRoom(screen.rows - reserved, &rows);
  const std::size_t room = screen.rows - rows.size();
  const std::size_t shown = run.judged.size() <= room ? run.judged.size() : room - std::min<std::size_t>(room, 1);
  const std::size_t earlier = run.judged.size() - shown;

  std::vector<TerminalLine> lines;
  for (Row& row : rows) {
    if (row.is_above) lines.push_back(std::move(row.line));
  }
  if (earlier > 0 && room > 0)
    lines.emplace_back(absl::StrCat("  ... ", earlier, " earlier ", earlier == 1 ? "point" : "points"), Paint::kFaint);
  for (std::size_t i = earlier; i < run.judged.size(); ++i) lines.push_back(JudgedRow(run, run.judged[i], screen));
  for (Row& row : rows) {
    if (!row.is_above) lines.push_back(std::move(row.line));
  }
  for (TerminalLine& line : lines) line.Cut(screen.columns);
  return lines;
}

std::string FrameBytes(const std::vector<TerminalLine>& lines, const Screen& screen) {
  std::string bytes = "\x1b[?2026h";  // the terminal shows it when it is complete
  for (std::size_t i = 0; i < lines.size(); ++i) {
    absl::StrAppend(&bytes, "\x1b[", i + 1, ";1H", lines[i].Bytes(screen.has_color));
    // At the last column it would take the character there.
    if (lines[i].columns() < screen.columns) bytes += "\x1b[K";
  }
  if (lines.size() < screen.rows) absl::StrAppend(&bytes, "\x1b[", lines.size() + 1, ";1H\x1b[J");
  return bytes + "\x1b[?2026l";
}

}  // namespace tidemark
