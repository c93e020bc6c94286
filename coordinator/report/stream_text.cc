#include "coordinator/report/stream_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/inert_text.h"
#include "common/stats/outcome.h"
#include "common/units.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/phrases.h"

namespace tidemark {
namespace {

// Rows of a list that grows with what the target names; the JSON has more.
constexpr int kMaxRows = 10;
constexpr std::size_t kMaxName = 60;

void AppendStorm(const proto::Point& point, const std::string& who, std::string* out) {
  const std::uint64_t closed = CountOf(point.accounting().web_socket().streams(), "storm");
  if (closed == 0) return;
  absl::StrAppend(out, "  Storm    : ", who, FormatCount(closed), " closed, ", FormatCount(point.back().count()),
                  " subscribed again");
  if (point.back().count() != 0) {
    absl::StrAppend(out, ": 50 % in ", FormatLatency(point.back().p50_us()), ", 95 % in ",
                    FormatLatency(point.back().p95_us()), ", the last in ", FormatLatency(point.back().max_us()),
                    " (of those that are back)");
  }
  absl::StrAppend(out, "\n");
}

void AppendFanOut(const proto::Point& point, const std::string& who, std::string* out) {
  if (!point.has_fan_out()) return;
  const proto::FanOut& fan_out = point.fan_out();
  absl::StrAppend(out, "  Fan-out  : ", who, FormatCount(fan_out.events()), " events");
  if (fan_out.events() != 0) {
    absl::StrAppend(out, ", ", FormatCount(fan_out.full_events()), " of them heard of by ",
                    FormatCount(fan_out.most_receipts()), " connections, all by ",
                    FormatCount(fan_out.least_receipts()), " or more; first to last: p50 ",
                    FormatLatency(fan_out.spread().p50_us()), ", p99 ", FormatLatency(fan_out.spread().p99_us()),
                    ", max ", FormatLatency(fan_out.spread().max_us()));
  }
  if (fan_out.has_error_us()) absl::StrAppend(out, ", between agents within ", FormatLatency(fan_out.error_us()));
  if (fan_out.single_events() != 0)
    absl::StrAppend(out, "; besides ", FormatCount(fan_out.single_events()), " that one connection alone heard of");
  if (fan_out.untracked() != 0)
    absl::StrAppend(out, "; NOT TRACKED: ", FormatCount(fan_out.untracked()), " receipts, too many events");
  absl::StrAppend(out, "\n");
}

// What the agents know of the target's clock.
void AppendTargetClock(const proto::Point& point, const std::string& who, std::string* out) {
  const proto::AgentRow* widest = nullptr;
  std::uint64_t failures = 0;
  std::uint64_t steps = 0;
  for (const proto::AgentRow& row : point.agents()) {
    failures += row.target_clock_failures();
    steps += row.target_clock_steps();
    if (row.target_clock_readings() == 0) continue;
    if (widest == nullptr || row.target_clock_error_us() > widest->target_clock_error_us()) widest = &row;
  }
  if (widest == nullptr) {
    if (point.staleness().count() != 0)
      absl::StrAppend(out, "  Clock    : ", who,
                      "staleness is by the wall clocks of target and agents, and as right as both\n");
    return;
  }
  absl::StrAppendFormat(out, "  Clock    : %sthe target's is %+.3f ms to that of agent %d, within %.3f ms%s", who,
                        widest->target_clock_offset_us() / 1e3, widest->agent(), widest->target_clock_error_us() / 1e3,
                        point.agents_size() > 1 ? ", the least sure of all" : "");
  if (failures != 0) absl::StrAppend(out, "; ", failures, " questions without an answer");
  if (steps != 0) absl::StrAppend(out, "; A CLOCK WAS SET ", steps, steps == 1 ? " time" : " times");
  absl::StrAppend(out, "; staleness is right within that\n");
}

// What each stream brought.
void AppendNames(const proto::Point& point, const std::string& who, std::string* out) {
  const int shown = std::min(point.streams_size(), kMaxRows);
  for (int i = 0; i < shown; ++i) {
    const proto::StreamRow& stream = point.streams(i);
    absl::StrAppend(out, "  Stream   : ", who,
                    stream.name().empty() ? "(without a name)" : InertText(stream.name(), kMaxName), ": ",
                    FormatCount(stream.messages()), " messages");
    if (stream.has_messages_per_s())
      absl::StrAppendFormat(out, ", %.1f/s, %s/s", stream.messages_per_s(), FormatBytes(stream.bytes_per_s()));
    if (stream.gaps() != 0) absl::StrAppend(out, ", ", FormatCount(stream.gaps()), " gaps");
    if (stream.lost() != 0) absl::StrAppend(out, ", ", FormatCount(stream.lost()), " numbers lost");
    if (stream.lost_late() != 0) absl::StrAppend(out, ", ", FormatCount(stream.lost_late()), " of them came late");
    if (stream.silences() != 0) absl::StrAppend(out, ", fell silent ", FormatCount(stream.silences()), "x");
    absl::StrAppend(out, "\n");
  }
  const std::uint64_t more = static_cast<std::uint64_t>(point.streams_size() - shown) + point.streams_left_out();
  if (more != 0) absl::StrAppend(out, "  ... and ", FormatCount(more), " more streams\n");
}

void AppendNegative(const proto::Point& point, const std::string& who, std::string* out) {
  if (point.staleness().clock_error() == 0) return;
  absl::StrAppend(out, "  Staleness: ", who, FormatCount(point.staleness().clock_error()),
                  " negative, in no figure: by the clocks as they are known these events had not happened yet\n");
}

void AppendCloseReasons(const proto::Point& point, const std::string& who, std::string* out) {
  std::uint64_t others = 0;
  int shown = 0;
  int kinds = 0;
  for (const proto::CloseReason& close : point.close_reasons()) {
    if (close.code() == 0) others += close.count();
    if (close.code() == 0 || ++kinds > kMaxRows) continue;
    ++shown;
    absl::StrAppend(out, "  Reason   : ", who, FormatCount(close.count()), " closed with code ", close.code(), " and ",
                    close.reason().empty() ? "no reason" : absl::StrCat("'", InertLine(close.reason()), "'"), "\n");
  }
  if (kinds > shown) absl::StrAppend(out, "  ... and ", kinds - shown, " more reasons\n");
  if (others != 0) absl::StrAppend(out, "  ... and ", FormatCount(others), " closes for still other reasons\n");
}

// What made us close, with the code that we sent if one could be sent.
std::string OwnCloses(const proto::Counts& counts) {
  std::vector<std::string> terms;
  for (const auto& [code, finding] : {std::pair<const char*, Finding>{"1002 for ", Finding::kViolation},
                                      {"1007 for ", Finding::kBadPayload},
                                      {"1009 for ", Finding::kOversized},
                                      {"", Finding::kPingFlood}}) {
    const EndRow& row = kFindingRows[static_cast<std::size_t>(finding)];
    const std::uint64_t count = CountOf(counts, row.json);
    if (count != 0) terms.push_back(absl::StrCat(code, row.label, " ", FormatCount(count)));
  }
  return absl::StrJoin(terms, " + ");
}

}  // namespace

std::vector<TextColumn> StreamColumns() {
  return {{"conns"},   {"messages", 5}, {"msg/s"},       {"MiB/s", 9}, {"every", 8}, {"p99", 6},
          {"max", 10}, {"stale p50"},   {"p99"},         {"max", 4},   {"gaps"},     {"dup", 3},
          {"late", 7}, {"resets", 11},  {"silences", 2}, {"verdict"}};
}

std::vector<std::string> StreamCells(const std::string& name, const proto::Point& p) {
  const proto::WebSocketCounts& counts = p.accounting().web_socket();
  const auto found = [&counts](absl::string_view finding) { return CountOrDash(counts.streams(), finding); };
  const proto::Latency& every = p.interval();
  const proto::Latency& stale = p.staleness();
  const std::uint64_t bytes = counts.message_bytes() - counts.early_message_bytes();
  const std::string rate = p.has_duration_s() ? PlainFigures(ShownRate(p.messages_per_s())) : "-";
  const std::string mebibytes = p.has_duration_s() ? FormatMebibytes(static_cast<double>(bytes) / p.duration_s()) : "-";
  return {name,
          FormatCount(counts.messages()),
          rate,
          mebibytes,
          Quantile(every, "p50_us"),
          Quantile(every, "p99_us"),
          Quantile(every, "max_us"),
          Quantile(stale, "p50_us"),
          Quantile(stale, "p99_us"),
          Quantile(stale, "max_us"),
          found("gaps"),
          found("duplicates"),
          found("reordered"),
          found("resets"),
          found("silences"),
          p.verdict()};
}

std::vector<std::string> StreamWireCells(const proto::Latency& wire) {
  return {
      "on wire", "", "", "", "", "", "", Quantile(wire, "p50_us"), Quantile(wire, "p99_us"), Quantile(wire, "max_us")};
}

void AppendStreams(const proto::Point& point, const std::string& who, std::string* out) {
  AppendStorm(point, who, out);
  AppendNames(point, who, out);
  AppendFanOut(point, who, out);
  AppendTargetClock(point, who, out);
  AppendNegative(point, who, out);
  AppendCloseReasons(point, who, out);
}

void AppendWebSockets(const proto::Accounting& point, const proto::Accounting& warmup, std::string* out) {
  if (!point.has_web_socket() && !warmup.has_web_socket()) return;
  proto::WebSocketCounts counts = point.web_socket();
  const proto::WebSocketCounts& before = warmup.web_socket();
  absl::StrAppend(out, "  Messages : ", FormatCount(counts.messages()), " received");
  if (counts.early_messages() != 0)
    absl::StrAppend(out, ", ", FormatCount(counts.early_messages()), " before the start");
  if (counts.compressed_messages() != 0)
    absl::StrAppend(out, ", ", FormatCount(counts.compressed_messages()), " compressed");
  if (counts.orphan_messages() != 0)
    absl::StrAppend(out, ", of them ", FormatCount(counts.orphan_messages()), " nobody's reply");
  if (counts.missing_replies() != 0)
    absl::StrAppend(out, ", ", FormatCount(counts.missing_replies()), " replies missing");
  if (counts.pings() != 0)
    absl::StrAppend(out, ", ", FormatCount(counts.pings()), " pings of the target, ", FormatCount(counts.pongs_sent()),
                    " pongs sent");
  if (before.pings() != 0)
    absl::StrAppend(out, ", before the start ", FormatCount(before.pings()), " pings of the target, ",
                    FormatCount(before.pongs_sent()), " pongs sent");
  if (counts.client_pings() + counts.pongs() != 0)
    absl::StrAppend(out, ", pings sent ", FormatCount(counts.client_pings()), " and pongs received ",
                    FormatCount(counts.pongs()));
  absl::StrAppend(out, "\n");
  const std::string findings = Terms(counts.streams(), kFindingRows);
  if (findings != "0") absl::StrAppend(out, "  Streams  : ", findings, "\n");
  AddCounts(before.closings(), counts.mutable_closings());
  const std::string closings = Terms(counts.closings(), kClosingRows);
  if (closings != "0") absl::StrAppend(out, "  Closed   : by the target: ", closings, "\n");
  AddCounts(before.streams(), counts.mutable_streams());
  if (const std::string own = OwnCloses(counts.streams()); !own.empty())
    absl::StrAppend(out, "  Closed   : by us: ", own, "\n");
}

}  // namespace tidemark
