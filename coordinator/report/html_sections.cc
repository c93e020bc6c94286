#include "coordinator/report/html_sections.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/plan/yaml_message.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/html_table.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

constexpr char kTick[] = "✓";

const char* ToneClass(Tone tone) { return tone == Tone::kGood ? "ok" : tone == Tone::kDoubtful ? "warn" : "bad"; }

const char* Glyph(Tone tone) { return tone == Tone::kGood ? kTick : tone == Tone::kDoubtful ? "▲" : "✗"; }

Tone ToneOf(const proto::Point& point) {
  const std::string& verdict = point.verdict();
  return verdict == "VALID" ? Tone::kGood : verdict == "TARGET_FAILING" ? Tone::kBad : Tone::kDoubtful;
}

std::string Plural(std::uint64_t count, absl::string_view one) {
  return absl::StrCat(FormatCount(count), " ", one, count == 1 ? "" : "s");
}

HtmlColumn LevelColumn(const proto::Report& report) { return {HasRates(report) ? "rate" : "conns"}; }

// "2026-11-26 15:58:24 UTC" of RFC 3339; what it cannot read stays as it is.
std::string ShownTime(const std::string& time) {
  if (time.size() < 20 || time[10] != 'T') return time;
  return absl::StrCat(time.substr(0, 10), " ", time.substr(11, 8), " UTC");
}

// ---- tiles

struct Tile {
  std::string big;
  std::string small;
  const char* css = "";
};

Tile RateTile(const proto::Report& report, const Answer& answer) {
  const proto::Capacity& capacity = report.capacity();
  if (capacity.refusal().empty() && capacity.has_peak())
    return {absl::StrCat(ShownCount(capacity.max_requests_per_s()), "/s"),
            absl::StrCat("peak, at ", ShownCount(capacity.peak_connections()), " connections")};
  if (answer.point < 0) return {"0/s", IsListening(report) ? "no message came" : "no request succeeded", "bad"};
  if (IsListening(report)) {
    const proto::Point& point = report.points(answer.point);
    return {absl::StrCat(ShownRate(point.messages_per_s()), "/s"),
            absl::StrCat("messages on ", LevelOf(report, point))};
  }
  const int most = MostThroughput(report);
  const proto::Point& point = report.points(most < 0 ? answer.point : most);
  const std::string rate = absl::StrCat(ShownRate(point.success_per_s()), "/s");
  if (report.points_size() == 1)
    return {rate, absl::StrCat(HasRates(report) ? "succeeded, of " : "successes, on ", LevelOf(report, point))};
  return {rate, absl::StrCat("the most successes measured, at ", LevelOf(report, point))};
}

Tile TailTile(const proto::Report& report, const Answer& answer) {
  if (answer.point < 0) return {"-", "p99: nothing to measure it of"};
  const proto::Point& point = report.points(answer.point);
  const proto::Latency& latency = HeadlineOf(report, point);
  const std::string interval = ShownInterval(latency, "p99_us");
  const char* const what = !IsListening(report)    ? "p99 at "
                           : point.has_staleness() ? "p99 of the staleness, on "
                                                   : "p99 of the interval between messages, on ";
  return {ShownQuantile(latency, "p99_us"),
          absl::StrCat(what, LevelOf(report, point), interval.empty() ? "" : absl::StrCat(" (95 %: ", interval, ")"))};
}

Tile FailedTile(const proto::Report& report) {
  const proto::Point& total = report.total();
  if (IsListening(report)) {
    const proto::Counts& found = total.accounting().web_socket().streams();
    const proto::Count* const gaps = FindCount(found, "gaps");
    const std::string reconnects = Plural(CountOf(found, "reconnects"), "reconnect");
    if (gaps == nullptr) return {FormatCount(CountOf(found, "reconnects")), "connections lost while listening"};
    return {FormatCount(gaps->count()),
            absl::StrCat(gaps->count() == 1 ? "gap" : "gaps", ", ", FormatCount(CountOf(found, "duplicates")),
                         " duplicates, ", reconnects),
            gaps->count() == 0 ? "" : "warn"};
  }
  const std::string share =
      total.has_error_rate_percent() ? absl::StrCat(" (", ShownPercent(total.error_rate_percent()), ")") : "";
  return {FormatCount(total.failed_requests()),
          absl::StrCat("of ", Plural(total.total_requests(), "request"), " failed", share),
          total.failed_requests() == 0 ? "ok" : ""};
}

Tile AccountTile(const proto::Report& report) {
  const std::string agents = Plural(static_cast<std::uint64_t>(report.agents_size()), "agent");
  if (!report.merge().is_exact())
    return {"NOT COMPLETE", absl::StrCat("what is missing is said below; ", agents), "bad"};
  if (IsListening(report))
    return {"exact",
            absl::StrCat(FormatCount(report.total().accounting().web_socket().messages()), " messages added up from ",
                         agents),
            "ok"};
  return {"exact",
          absl::StrCat(FormatCount(report.total().total_requests()), " planned, every one accounted for; ", agents),
          "ok"};
}

std::string Tiles(const std::vector<Tile>& tiles) {
  std::string html = "<div class=\"tiles\">";
  for (const Tile& tile : tiles)
    absl::StrAppend(&html, "<div class=\"tile\"><b class=\"", tile.css, "\">", Html(tile.big), "</b><span>",
                    Html(tile.small), "</span></div>");
  return html + "</div>\n";
}

// ---- sweep

// Met, missed, or not clear; of several the worst.
HtmlCell ExpectedCell(const proto::Point& point) {
  bool is_met = true;
  bool is_clear = true;
  for (const proto::Expected& expected : point.expected()) {
    if (!expected.is_met()) is_met = false;
    if (!expected.is_clear() || expected.is_met_on_wire()) is_clear = false;
  }
  if (point.expected().empty()) return "-";
  const char* const css = !is_met ? "bad" : is_clear ? "ok" : "warn";
  return {absl::StrCat(is_met ? kTick : "✗", kNoBreak, is_met ? "met" : "missed", is_clear ? "" : ", not clear"), css};
}

std::string PercentOrDash(bool has_it, double percent) { return has_it ? Percent(percent) : "-"; }

std::string RequestTable(const proto::Report& report, bool has_expectations) {
  const bool is_open = IsOpenLoop(report);
  std::vector<HtmlColumn> columns = {LevelColumn(report), {"req/s"}, {"p50"}, {"p99"}, {"p99.9"}, {"verdict", true}};
  if (has_expectations) columns.push_back({"expected", true});
  if (is_open) columns.push_back({"service p99"});
  for (const char* const title : {"failed", "err %", "avg", "p90", "max", "requests", "MiB/s", "duration"})
    columns.push_back({title});
  HtmlTable table(columns);
  const auto row = [&](const proto::Point& p) {
    const proto::Latency& l = HeadlineOf(report, p);
    std::vector<HtmlCell> cells = {LevelName(p),
                                   p.has_requests_per_s() ? ShownRate(p.requests_per_s()) : "-",
                                   ShownQuantile(l, "p50_us"),
                                   ShownQuantile(l, "p99_us"),
                                   ShownQuantile(l, "p99_9_us"),
                                   VerdictCell(p)};
    if (has_expectations) cells.push_back(ExpectedCell(p));
    if (is_open) cells.emplace_back(ShownQuantile(p.latency(), "p99_us"));
    for (std::string text :
         {FormatCount(p.failed_requests()), PercentOrDash(p.has_error_rate_percent(), p.error_rate_percent()),
          l.has_mean_us() ? ShownLatency(l.mean_us()) : "-", ShownQuantile(l, "p90_us"), ShownQuantile(l, "max_us"),
          FormatCount(p.total_requests()),
          p.has_received_bytes_per_s() ? FormatMebibytes(p.received_bytes_per_s()) : "-",
          p.has_duration_s() ? ShownLatency(p.duration_s() * 1e6) : "-"})
      cells.emplace_back(std::move(text));
    table.Row(std::move(cells));
  };
  for (const proto::Point& point : report.points()) row(point);
  return table.ToHtml("The points of the sweep");
}

std::string ListeningTable(const proto::Report& report, bool has_expectations) {
  std::vector<HtmlColumn> columns = {LevelColumn(report), {"msg/s"}, {"every p50"},    {"p99"},
                                     {"stale p50"},       {"p99"},   {"verdict", true}};
  if (has_expectations) columns.push_back({"expected", true});
  for (const char* const title : {"max", "gaps", "dup", "late", "resets", "silences", "messages", "up %", "MiB/s"})
    columns.push_back({title});
  HtmlTable table(columns);
  const auto row = [&](const proto::Point& p) {
    const proto::WebSocketCounts& counts = p.accounting().web_socket();
    const auto found = [&counts](absl::string_view finding) { return CountOrDash(counts.streams(), finding); };
    std::vector<HtmlCell> cells = {LevelName(p),
                                   p.has_messages_per_s() ? ShownRate(p.messages_per_s()) : "-",
                                   ShownQuantile(p.interval(), "p50_us"),
                                   ShownQuantile(p.interval(), "p99_us"),
                                   ShownQuantile(p.staleness(), "p50_us"),
                                   ShownQuantile(p.staleness(), "p99_us"),
                                   VerdictCell(p)};
    if (has_expectations) cells.push_back(ExpectedCell(p));
    const double bytes = static_cast<double>(counts.message_bytes() - counts.early_message_bytes());
    for (std::string text : {ShownQuantile(p.staleness(), "max_us"), found("gaps"), found("duplicates"),
                             found("reordered"), found("resets"), found("silences"), FormatCount(counts.messages()),
                             PercentOrDash(p.has_availability_percent(), p.availability_percent()),
                             p.duration_s() > 0 ? FormatMebibytes(bytes / p.duration_s()) : "-"})
      cells.emplace_back(std::move(text));
    table.Row(std::move(cells));
  };
  for (const proto::Point& point : report.points()) row(point);
  return table.ToHtml("The points of the sweep");
}

std::string Item(absl::string_view who, absl::string_view text) {
  return absl::StrCat("<li>", who.empty() ? "" : absl::StrCat("<b>", Html(who), "</b> "), Html(text), "</li>\n");
}

std::string Items(const std::string& items) {
  return items.empty() ? "" : absl::StrCat("<ul class=\"reasons\">\n", items, "</ul>\n");
}

// What was expected of a point, and came to be.
std::string ExpectedItem(const proto::Report& report, const std::string& who, const proto::Expected& expected) {
  const std::string of = IsListening(report) && !expected.of().empty() ? absl::StrCat(" of the ", expected.of()) : "";
  return Item(who, absl::StrCat(expected.is_met() ? kTick : "✗", " ", ShownExpectation(expected.text()), of,
                                expected.is_met() ? ": met" : ": missed",
                                expected.is_met_on_wire() ? ", but not clearly: on the wire it is met"
                                : expected.is_clear()     ? ""
                                                          : ", but not clearly: the limit is within its interval"));
}

std::string Reasons(const proto::Report& report) {
  std::string shown;
  std::string expected;
  std::string folded;
  for (const proto::Point& point : report.points()) {
    const std::string who = report.points_size() == 1 ? "" : absl::StrCat(LevelName(point), ":");
    std::string* const out = point.verdict() == "VALID" ? &folded : &shown;
    if (!point.verdict_reason().empty()) *out += Item(who, absl::StrCat(point.verdict(), ": ", point.verdict_reason()));
    for (const std::string& note : point.verdict_notes()) folded += Item(who, note);
    if (point.dead_seconds() > 0)
      shown +=
          Item(who, absl::StrCat("dead for ", Plural(point.dead_seconds(), "second"), ": the target served nobody"));
    if (point.has_availability_percent() && point.availability_percent() < 100)
      shown += Item(who, absl::StrCat("connections up for ", ShownPercent(point.availability_percent()),
                                      " of the time asked for"));
    if (point.generator_seconds() > 0)
      shown += Item(who, absl::StrCat("nothing can be said of ", Plural(point.generator_seconds(), "second"),
                                      ": the generator itself stood still"));
    if (point.status() == "PARTIAL" && point.has_coverage_percent())
      shown += Item(who, absl::StrCat("covers ", ShownPercent(point.coverage_percent()), " of what was planned"));
    for (const proto::Expected& one : point.expected()) expected += ExpectedItem(report, who, one);
  }
  for (const std::string& note : report.notes()) shown += Item("Note:", note);
  return absl::StrCat(Items(shown), expected.empty() ? "" : Folded("Each expectation", Items(expected)),
                      folded.empty() ? "" : Folded("Why the verdicts are what they are, and remarks", Items(folded)));
}

// ---- accounting

std::string AccountTable(const proto::Report& report) {
  // Of outcomes those that are not 0 somewhere.
  std::vector<const EndRow*> outcomes;
  for (const EndRow& row : kOutcomeRows) {
    if (CountOf(report.total().accounting().outcomes(), row.json) != 0) outcomes.push_back(&row);
  }
  const bool has_lost = report.total().accounting().waiting() + report.total().accounting().in_flight() != 0;
  std::vector<HtmlColumn> columns = {LevelColumn(report), {"planned"}, {"sent"}, {"never sent"}};
  for (const EndRow* row : outcomes) columns.push_back({std::string(row->label)});
  if (has_lost) columns.insert(columns.end(), {{"waiting"}, {"in flight"}});
  columns.push_back({"adds up", true});
  HtmlTable table(columns);
  const auto add = [&](const std::string& name, const proto::Accounting& account) {
    std::vector<HtmlCell> cells = {name, FormatCount(account.planned()), FormatCount(account.sent()),
                                   FormatCount(account.never_sent())};
    for (const EndRow* row : outcomes) cells.emplace_back(FormatCount(CountOf(account.outcomes(), row->json)));
    if (has_lost) {
      cells.emplace_back(FormatCount(account.waiting()));
      cells.emplace_back(FormatCount(account.in_flight()));
    }
    cells.push_back(account.identity_holds() ? HtmlCell(absl::StrCat("=", kNoBreak, kTick), "ok")
                                             : HtmlCell(absl::StrCat("≠", kNoBreak, "✗"), "bad"));
    table.Row(std::move(cells));
  };
  for (const proto::Point& point : report.points()) add(LevelName(point), point.accounting());
  if (report.points_size() > 1) add("total", report.total().accounting());
  if (report.total().warmup().planned() != 0) add("warm-up", report.total().warmup());
  return table.ToHtml("Where every request went");
}

void AddStatuses(const proto::Accounting& account, const std::string& when, HtmlTable* table) {
  for (const proto::StatusRow& row : account.statuses()) {
    std::string said;
    if (row.has_body()) said = row.body().empty() ? "without a body" : row.body();
    table->Row({absl::StrCat(row.is_upgrade() ? "upgrade " : "", row.status(), when),
                FormatCount(row.count()),
                row.content_type(),
                {said, "body"}});
  }
}

std::string Statuses(const proto::Report& report) {
  HtmlTable table({{"status"}, {"answers"}, {"type", true}, {"the first one that was no success said", true}});
  AddStatuses(report.total().accounting(), "", &table);
  AddStatuses(report.total().warmup(), " before the start", &table);
  return table.IsEmpty() ? "" : "<h3>Status codes</h3>\n" + table.ToHtml("Status codes, and what was answered");
}

std::string ConnectTerms(const proto::Accounting& account) { return Terms(account.connections(), kConnectResultRows); }

// What else is counted, a line each.
std::string AccountItems(const proto::Report& report) {
  const proto::Accounting& account = report.total().accounting();
  const proto::Accounting& warmup = report.total().warmup();
  std::string items;
  if (account.never_sent() != 0) items += Item("Never sent:", Terms(account.never_sent_by_reason(), kNeverSentRows));
  items +=
      Item("Connections:", absl::StrCat(ConnectTerms(warmup), " before the start, ", ConnectTerms(account), " since"));
  if (account.drained() != 0)
    items += Item("Drained:", absl::StrCat(Plural(account.drained(), "response"),
                                           " came after the end of a point: in latencies and totals, and in no rate"));
  items += Item("Bytes:", absl::StrCat(FormatBytes(static_cast<double>(account.bytes_sent())), " sent, ",
                                       FormatBytes(static_cast<double>(account.bytes_received())), " received"));
  for (const proto::AddressRow& row : report.total().addresses())
    items += Item(
        absl::StrCat(row.address(), ":"),
        absl::StrCat(
            FormatCount(row.established()), " of ", FormatCount(row.attempts()), " connections established, ",
            Plural(row.success(), "success"),
            row.has_silent_from_s() ? absl::StrCat(", none from second ", ShownRate(row.silent_from_s()), " on") : ""));
  const proto::Point& total = report.total();
  items += Item("Availability:",
                absl::StrCat(total.has_availability_percent()
                                 ? absl::StrCat("connections up for ", ShownPercent(total.availability_percent()),
                                                " of the time asked for; ")
                                 : "",
                             total.has_dead_seconds() ? absl::StrCat(Plural(total.dead_seconds(), "dead second"),
                                                                     " in which the target served nobody")
                                                      : "dead seconds were not measured"));
  const proto::Merge& merge = report.merge();
  items +=
      Item("Merge:", absl::StrCat(merge.is_exact() ? "exact" : "NOT COMPLETE", ", ", Plural(merge.shards(), "shard"),
                                  ", ", FormatCount(merge.duplicates()), " duplicates, ", FormatCount(merge.rejected()),
                                  " rejected, ", FormatCount(merge.late()), " late"));
  return Items(items);
}

// ---- mix

HtmlTable MixTable(bool has_level, const proto::Report& report) {
  std::vector<HtmlColumn> columns = {{"request", true}};
  if (has_level) columns.push_back(LevelColumn(report));
  for (const char* const title : {"sent", "ok", "failed", "share", "avg", "p50", "p90", "p99", "p99.9", "max", "MiB"})
    columns.push_back({title});
  return HtmlTable(columns);
}

void AddMixRows(const proto::Report& report, const proto::Point& point, bool has_level, HtmlTable* table) {
  std::uint64_t sent = 0;
  for (const proto::RequestResult& request : point.requests()) sent += request.sent();
  for (const proto::RequestResult& request : point.requests()) {
    const proto::Latency& l = IsOpenLoop(report) ? request.response() : request.latency();
    std::uint64_t ended = 0;
    for (const proto::Count& count : request.outcomes().list()) ended += count.count();
    std::vector<HtmlCell> cells = {request.name()};
    if (has_level) cells.emplace_back(LevelName(point));
    const double share = sent == 0 ? 0 : 100 * static_cast<double>(request.sent()) / static_cast<double>(sent);
    for (std::string text :
         {FormatCount(request.sent()), FormatCount(request.success()),
          FormatCount(ended - std::min(ended, request.success())),
          sent == 0 ? "-" : absl::StrCat(Rounded(share, 1), kNoBreak, "%"),
          l.has_mean_us() ? ShownLatency(l.mean_us()) : "-", ShownQuantile(l, "p50_us"), ShownQuantile(l, "p90_us"),
          ShownQuantile(l, "p99_us"), ShownQuantile(l, "p99_9_us"), ShownQuantile(l, "max_us"),
          FormatMebibytes(static_cast<double>(request.received_bytes()))})
      cells.emplace_back(std::move(text));
    table->Row(std::move(cells));
  }
}

// ---- streams

std::string StreamRows(const proto::Point& point) {
  constexpr int kMaxRows = 200;
  HtmlTable table({{"stream", true}, {"messages"}, {"msg/s"}, {"bytes/s"}, {"gaps"}, {"lost"}, {"late"}, {"silences"}});
  const auto count = [](bool has_it, std::uint64_t value) { return has_it ? FormatCount(value) : std::string("-"); };
  for (int i = 0; i < std::min(point.streams_size(), kMaxRows); ++i) {
    const proto::StreamRow& row = point.streams(i);
    table.Row({row.name().empty() ? "(without a name)" : row.name(), FormatCount(row.messages()),
               row.has_messages_per_s() ? ShownRate(row.messages_per_s()) : "-",
               row.has_bytes_per_s() ? FormatBytes(row.bytes_per_s()) : "-", count(row.has_gaps(), row.gaps()),
               count(row.has_lost(), row.lost()), count(row.has_lost_late(), row.lost_late()),
               count(row.has_silences(), row.silences())});
  }
  if (table.IsEmpty()) return "";
  const std::uint64_t more =
      static_cast<std::uint64_t>(std::max(0, point.streams_size() - kMaxRows)) + point.streams_left_out();
  return absl::StrCat(table.ToHtml("Streams"),
                      more == 0 ? "" : absl::StrCat("<p>... and ", FormatCount(more), " more streams.</p>\n"));
}

std::string FanOutItem(const std::string& who, const proto::FanOut& fan_out) {
  std::string text = Plural(fan_out.events(), "event");
  if (fan_out.events() != 0)
    absl::StrAppend(&text, ", ", FormatCount(fan_out.full_events()), " of them heard of by ",
                    FormatCount(fan_out.most_receipts()), " connections; first to last: p50 ",
                    ShownQuantile(fan_out.spread(), "p50_us"), ", p99 ", ShownQuantile(fan_out.spread(), "p99_us"),
                    ", max ", ShownQuantile(fan_out.spread(), "max_us"));
  if (fan_out.untracked() != 0)
    absl::StrAppend(&text, "; NOT TRACKED: ", FormatCount(fan_out.untracked()), " receipts, too many events");
  return Item(absl::StrCat(who, "Fan-out:"), text);
}

std::string StreamItems(const proto::Point& point, const std::string& who) {
  std::string items;
  const std::string findings = Terms(point.accounting().web_socket().streams(), kFindingRows);
  if (findings != "0") items += Item(absl::StrCat(who, "Found:"), findings);
  const std::string closings = Terms(point.accounting().web_socket().closings(), kClosingRows);
  if (closings != "0") items += Item(absl::StrCat(who, "Closed by the target:"), closings);
  if (point.has_fan_out()) items += FanOutItem(who, point.fan_out());
  if (point.back().count() != 0)
    items +=
        Item(absl::StrCat(who, "Storm:"), absl::StrCat(FormatCount(point.back().count()), " subscribed again: 50 % in ",
                                                       ShownQuantile(point.back(), "p50_us"), ", the last in ",
                                                       ShownQuantile(point.back(), "max_us")));
  if (point.has_staleness_error_us())
    items += Item(absl::StrCat(who, "Clock:"),
                  absl::StrCat("staleness is right within ", ShownLatency(point.staleness_error_us()),
                               ", by the target's own clock"));
  else if (point.staleness().count() != 0)
    items +=
        Item(absl::StrCat(who, "Clock:"), "staleness is by the wall clocks of target and agents, and as right as both");
  if (point.staleness().clock_error() != 0)
    items += Item(absl::StrCat(who, "Staleness:"),
                  absl::StrCat(FormatCount(point.staleness().clock_error()),
                               " negative, in no figure: by the clocks these events had not happened yet"));
  constexpr int kMaxReasons = 10;
  for (int i = 0; i < std::min(point.close_reasons_size(), kMaxReasons); ++i) {
    const proto::CloseReason& close = point.close_reasons(i);
    items +=
        Item(absl::StrCat(who, "Reason:"),
             absl::StrCat(FormatCount(close.count()),
                          close.code() == 0 ? " closed for other reasons"
                                            : absl::StrCat(" closed with code ", close.code(), ", ",
                                                           close.reason().empty() ? "no reason" : close.reason())));
  }
  return items;
}

// ---- to repeat it

// A word as a shell takes it.
std::string ShellWord(const std::string& word) {
  const bool is_plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           absl::string_view("-_./:,=@%+").find(c) != absl::string_view::npos;
  });
  return is_plain ? word : absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

// Of many agents a file's worth of names would stand there: they are in the table of the machines.
std::string Command(const proto::Report& report) {
  constexpr int kMaxNamed = 8;
  std::vector<std::string> agents;
  for (const proto::AgentInfo& agent : report.agents()) agents.push_back(agent.address());
  const bool is_local =
      agents.empty() || (agents.size() == 1 && report.agents(0).address().find(':') == std::string::npos);
  if (is_local) return "tidemark run plan.yaml";
  return absl::StrCat("tidemark run plan.yaml --agents ", report.agents_size() > kMaxNamed
                                                              ? "AGENTS  # those of the table of machines"
                                                              : ShellWord(absl::StrJoin(agents, ",")));
}

std::string Machines(const proto::Report& report) {
  constexpr int kMaxRows = 200;
  HtmlTable table({{"agent"},
                   {"address", true},
                   {"version", true},
                   {"workers"},
                   {"target", true},
                   {"clock read within"},
                   {"state", true}});
  for (int i = 0; i < std::min(report.agents_size(), kMaxRows); ++i) {
    const proto::AgentInfo& agent = report.agents(i);
    std::vector<std::string> states;
    if (agent.is_insecure_control()) states.push_back("INSECURE CONTROL CHANNEL");
    if (!agent.permission().empty()) states.push_back("with permission: " + agent.permission());
    if (agent.resumed_streams() != 0)
      states.push_back(absl::StrCat("stream resumed ", agent.resumed_streams(), " times"));
    if (!agent.lost().empty()) states.push_back("LOST: " + agent.lost());
    table.Row({absl::StrCat(i), agent.address(), agent.version(),
               agent.has_workers() ? absl::StrCat(agent.workers()) : "-", absl::StrJoin(agent.target_addresses(), " "),
               agent.has_clock_error_us() ? absl::StrCat("±", ShownLatency(agent.clock_error_us())) : "-",
               states.empty() ? "" : absl::StrJoin(states, "; ")});
  }
  return absl::StrCat(table.ToHtml("Machines"),
                      report.agents_size() > kMaxRows
                          ? absl::StrCat("<p>... and ", report.agents_size() - kMaxRows, " more agents.</p>\n")
                          : "");
}

}  // namespace

HtmlCell VerdictCell(const proto::Point& point) {
  const std::string& word = point.verdict().empty() ? point.status() : point.verdict();
  const Tone tone = ToneOf(point);
  return {absl::StrCat(Glyph(tone), kNoBreak, word), ToneClass(tone)};
}

std::string AnswerHeading(const Answer& answer) {
  std::string html = absl::StrCat("<h1><span class=\"chip ", ToneClass(answer.tone), "\">", Glyph(answer.tone),
                                  kNoBreak, Html(answer.word), "</span> ", Html(answer.sentence), "</h1>\n");
  for (const std::string& sentence : answer.more) absl::StrAppend(&html, "<p>", Html(sentence), "</p>\n");
  return html;
}

std::string AnswerSection(const proto::Report& report, const Answer& answer) {
  double seconds = 0;
  for (const proto::Point& point : report.points()) seconds += point.duration_s();
  const std::string html =
      absl::StrCat("<header><p class=\"meta\">tidemark ", Html(report.version()), " · ", Html(report.plan().target()),
                   " · run ", Html(report.run()), " · <time datetime=\"", Html(report.started_at()), "\">",
                   Html(ShownTime(report.started_at())), "</time>",
                   seconds > 0 ? absl::StrCat(" · ", Html(ShownLatency(seconds * 1e6)), " measured") : "", "</p>\n",
                   AnswerHeading(answer));
  return absl::StrCat(
      html, "</header>\n",
      Tiles({RateTile(report, answer), TailTile(report, answer), FailedTile(report), AccountTile(report)}));
}

std::string SweepSection(const proto::Report& report) {
  if (report.points().empty()) return Reasons(report);
  const bool has_expectations = std::any_of(report.points().begin(), report.points().end(),
                                            [](const proto::Point& point) { return !point.expected().empty(); });
  return absl::StrCat(
      "<h2>", report.points_size() == 1 ? "The point" : "Sweep", "</h2>\n<p class=\"sub\">", Html(LoadLine(report)),
      "</p>\n", IsListening(report) ? ListeningTable(report, has_expectations) : RequestTable(report, has_expectations),
      Reasons(report));
}

std::string AccountSection(const proto::Report& report) {
  const char* const intro =
      "planned = sent + never sent; sent = the outcomes. Checked on every shard, per agent and in total.";
  return absl::StrCat(IsListening(report) ? "<h2>What was counted</h2>\n"
                                          : absl::StrCat("<h2>Where every request went</h2>\n<p class=\"sub\">", intro,
                                                         "</p>\n", AccountTable(report)),
                      AccountItems(report), Statuses(report));
}

std::string MixSection(const proto::Report& report, const Answer& answer) {
  const bool has_mix = std::any_of(report.points().begin(), report.points().end(),
                                   [](const proto::Point& point) { return !point.requests().empty(); });
  if (!has_mix) return "";
  // The point that speaks for the run stands there, all of them are folded.
  const proto::Point& one = report.points(std::max(answer.point, 0));
  HtmlTable first = MixTable(false, report);
  AddMixRows(report, one, false, &first);
  std::string html = absl::StrCat("<h2>Requests of the mix</h2>\n<p class=\"sub\">At ", Html(LevelOf(report, one)),
                                  ", ", IsOpenLoop(report) ? "from the due time" : "from the first byte sent",
                                  ".</p>\n", first.ToHtml("Requests of the mix"));
  if (report.points_size() == 1) return html;
  HtmlTable all = MixTable(true, report);
  for (const proto::Point& point : report.points()) AddMixRows(report, point, true, &all);
  return html + Folded("At every level", all.ToHtml("Requests of the mix at every level"));
}

std::string SlowestSection(const proto::Report& report, const Answer& answer) {
  constexpr int kShown = 20;
  if (answer.point < 0 || report.points(answer.point).slowest().empty()) return "";
  const proto::Point& point = report.points(answer.point);
  const bool has_mix = !point.requests().empty();
  const bool has_traces = report.plan().traceparent();
  std::vector<HtmlColumn> columns = {{"took"}, {"slot"}, {"sent after"}, {"agent"}, {"port"}, {"ended as", true}};
  if (has_mix) columns.push_back({"request", true});
  if (has_traces) columns.push_back({"trace", true});
  HtmlTable table(columns);
  for (int i = 0; i < std::min(kShown, point.slowest_size()); ++i) {
    const proto::SlowRequest& slow = point.slowest(i);
    std::vector<HtmlCell> cells = {ShownLatency(slow.took_us()),
                                   ShownCount(static_cast<double>(slow.slot())),
                                   absl::StrFormat("%.3f%ss", slow.sent_s(), kNoBreak),
                                   absl::StrCat(slow.agent()),
                                   slow.has_port() ? absl::StrCat(slow.port()) : "-",
                                   slow.outcome()};
    if (has_mix) cells.emplace_back(slow.request());
    if (has_traces) cells.emplace_back(slow.trace_id());
    table.Row(std::move(cells));
  }
  return absl::StrCat("<h2>The slowest requests</h2>\n<p class=\"sub\">At ", Html(LevelOf(report, point)),
                      ", the first ", std::min(kShown, point.slowest_size()), " of the ", point.slowest_size(),
                      " that the JSON has of each point. Slot and port are as in the request and at the target.</p>\n",
                      Folded("Which they were", table.ToHtml("The slowest requests")));
}

std::string StreamSection(const proto::Report& report) {
  if (!IsListening(report)) return "";
  std::string html;
  for (const proto::Point& point : report.points()) {
    const std::string who = report.points_size() == 1 ? "" : absl::StrCat(LevelName(point), ": ");
    const std::string rows = StreamRows(point);
    if (!rows.empty() && !who.empty()) absl::StrAppend(&html, "<h3>", Html(LevelOf(report, point)), "</h3>\n");
    html += rows + Items(StreamItems(point, who));
  }
  return html.empty() ? "" : absl::StrCat("<h2>Streams</h2>\n", html);
}

std::string RepeatSection(const proto::Report& report) {
  return absl::StrCat(
      "<h2>To repeat it</h2>\n<pre>", Html(Command(report)), "</pre>\n",
      Folded("The plan, plan.yaml", absl::StrCat("<pre>", HtmlLines(PrintYaml(report.plan())), "</pre>")),
      Folded("Machines", Machines(report)));
}

std::string ReadingSection(const proto::Report& report) {
  const bool is_open = IsOpenLoop(report);
  std::string terms;
  const auto term = [&terms](absl::string_view name, absl::string_view what) {
    absl::StrAppend(&terms, "<dt>", name, "</dt><dd>", what, "</dd>\n");
  };
  term("VALID",
       "the figures are the target's own, and steady. GENERATOR_LIMITED: the generator had a part in them. "
       "TARGET_LIMITED: the target could not do more. NOT_STEADY: they drift, or vary too much. "
       "TARGET_FAILING: too much of what it answered was no success. PARTIAL: an agent was lost.");
  if (is_open)
    term("Response, service",
         "a response counts from when the request was due, so that what waited is in it; service "
         "from its first byte sent.");
  else
    term("Latency", "of successes, from the first byte sent to the last byte received.");
  term("≥", "a lower bound: requests were given up before they were answered, and would lie above.");
  term("p99",
       "99 of 100 requests were at most so slow. Quantiles are those of all agents' requests together, never "
       "averages of quantiles.");
  term("95 %",
       "an interval from 20 spans of time: had the run been made again, its figure would lie there 19 times of "
       "20.");
  term("Met, missed, not clear",
       "not clear: the limit lies within the figure's interval, or the figure would be met "
       "without what the generator itself took.");
  if (report.has_capacity())
    term("The fitted curve",
         "the Universal Scalability Law: throughput grows with connections, less what is serial and "
         "what keeping in step costs. Its peak is named only where the sweep went beyond it.");
  term("Adds up", "every planned request is sent or never sent, and every one that was sent has one outcome.");
  return Folded("How to read this", absl::StrCat("<dl>", terms, "</dl>"));
}

}  // namespace tidemark
