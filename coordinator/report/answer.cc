#include "coordinator/report/answer.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/units.h"
#include "coordinator/report/figures.h"
#include "coordinator/report/phrases.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

// Indices of the points, by ascending level.
std::vector<int> Ascending(const proto::Report& report) {
  std::vector<int> order;
  for (int i = 0; i < report.points_size(); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&report](int a, int b) {
    return LevelValue(report, report.points(a)) < LevelValue(report, report.points(b));
  });
  return order;
}

bool IsMet(const proto::Point& point) {
  return std::all_of(point.expected().begin(), point.expected().end(),
                     [](const proto::Expected& expected) { return expected.is_met(); });
}

bool IsClear(const proto::Point& point) {
  return std::all_of(point.expected().begin(), point.expected().end(),
                     [](const proto::Expected& expected) { return expected.is_clear() && !expected.is_met_on_wire(); });
}

// "p99 < 40 ms and error_rate < 1 %" of those for which `is_meant`.
template <typename IsMeant>
std::string Expectations(const proto::Point& point, IsMeant is_meant) {
  std::vector<std::string> texts;
  for (int i = 0; i < point.expected_size(); ++i) {
    if (is_meant(i)) texts.push_back(ShownExpectation(point.expected(i).text()));
  }
  return absl::StrJoin(texts, " and ");
}
std::string Expectations(const proto::Point& point) {
  return Expectations(point, [](int) { return true; });
}
std::string Missed(const proto::Point& point) {
  return Expectations(point, [&point](int i) { return !point.expected(i).is_met(); });
}

// Whether what was met there is the target's word: where it failed, or a part is missing, it is that of what was left.
bool IsHeld(const proto::Point& point) {
  return IsMet(point) && point.verdict() != Name(Verdict::kTargetFailing) && point.verdict() != Name(Verdict::kPartial);
}

// The least level is not held.
void AnswerNotHeld(const proto::Report& report, const std::vector<int>& order, Answer* answer) {
  const proto::Point& least = report.points(order.front());
  const std::string level = LevelOf(report, least);
  answer->tone = Tone::kBad;
  answer->point = order.front();
  if (IsMet(least)) {
    answer->word = least.verdict();
    answer->sentence =
        absl::StrCat("Meets ", Expectations(least), " at ", level, ", but there it is ", least.verdict(), ".");
    return;
  }
  // Each point has the plan's expectations, in its order.
  const std::string always = Expectations(least, [&](int k) {
    return std::none_of(order.begin(), order.end(), [&](int i) { return report.points(i).expected(k).is_met(); });
  });
  const bool is_all = !always.empty();
  const std::string what = is_all ? always : Missed(least);
  answer->word = "MISSED";
  answer->sentence =
      absl::StrCat("Misses ", what,
                   order.size() == 1 ? " at "
                   : is_all          ? " at every level, from "
                                     : " already at ",
                   level, order.size() > 1 && is_all ? " on" : "", IsClear(least) ? "" : ", but not clearly", ".");
}

// Fills word, sentence and tone of a run with expectations, the tone never better than its verdicts are; `order` are
// points by ascending level.
void AnswerExpectations(const proto::Report& report, const std::vector<int>& order, Answer* answer) {
  const auto point = [&report](int i) -> const proto::Point& { return report.points(i); };
  const auto first_other = std::find_if(order.begin(), order.end(), [&](int i) { return !IsHeld(point(i)); });
  if (first_other == order.begin()) return AnswerNotHeld(report, order, answer);
  const proto::Point& held = point(*(first_other - 1));
  answer->point = *(first_other - 1);
  answer->sentence = absl::StrCat("Holds ", LevelOf(report, held), " with ", Expectations(held),
                                  IsClear(held) ? "" : ", but not clearly",
                                  IsSound(held.verdict()) ? "" : absl::StrCat(", where it is ", held.verdict()));
  if (first_other == order.end()) {
    absl::StrAppend(&answer->sentence, order.size() == 1 ? "." : ", the highest level that was tried.");
    if (IsClear(held)) return;
    answer->tone = std::max(answer->tone, Tone::kDoubtful);
    answer->word = "NOT CLEAR";
    return;
  }
  const proto::Point& other = point(*first_other);
  const std::string level = LevelName(other);
  answer->tone = std::max(answer->tone, Tone::kDoubtful);
  answer->word = absl::StrCat(IsMet(other) ? other.verdict() : "MISSED", " AT ", level);
  absl::StrAppend(&answer->sentence,
                  IsMet(other)
                      ? absl::StrCat("; at ", level, " it is ", other.verdict())
                      : absl::StrCat("; misses ", other.expected_size() == 1 ? "it" : Missed(other), " at ", level),
                  IsMet(other) || IsClear(other) ? "" : ", but not clearly", ".");
  if (std::any_of(first_other, order.end(), [&](int i) { return IsHeld(point(i)); }))
    answer->more.push_back("Above that it is met again: look at each point.");
}

bool HasFailures(const proto::Point& point) { return point.failed_requests() != 0; }

// Where a closed loop's throughput is largest, if that can be said.
std::string Throughput(const proto::Report& report, int most) {
  const proto::Capacity& capacity = report.capacity();
  if (capacity.refusal().empty() && capacity.has_peak()) {
    std::string text = absl::StrCat("Most throughput: ", ShownCount(capacity.max_requests_per_s()), " requests/s at ",
                                    ShownCount(capacity.peak_connections()), " connections, by the fitted curve");
    if (capacity.has_peak_connections_high())
      absl::StrAppend(&text, " (95 %: ", ShownCount(capacity.peak_connections_low()), " to ",
                      ShownCount(capacity.peak_connections_high()), ")");
    return text + ".";
  }
  if (most < 0) return "";
  const proto::Point& point = report.points(most);
  const std::string measured =
      absl::StrCat(ShownRate(point.success_per_s()), HasFailures(point) ? " successes/s, at " : " requests/s, at ",
                   LevelOf(report, point));
  return report.has_capacity() && capacity.refusal().empty()
             ? absl::StrCat("No peak within the sweep: at least ", measured, ".")
             : absl::StrCat("Most that was measured: ", measured, ".");
}

// What one point came to.
std::string OfPoint(const proto::Report& report, const proto::Point& point) {
  const proto::Latency& latency = HeadlineOf(report, point);
  std::string text = absl::StrCat(LevelOf(report, point), ": ");
  if (IsListening(report)) {
    absl::StrAppend(&text, ShownRate(point.messages_per_s()), " messages/s");
  } else {
    absl::StrAppend(&text, HasRates(report) || !IsOpenLoop(report) ? "" : "open loop, ",
                    ShownRate(point.success_per_s()), HasFailures(point) ? " successes/s" : " requests/s");
    if (HasRates(report) && !HasFailures(point)) absl::StrAppend(&text, " succeeded");
  }
  if (latency.has_p99_us())
    absl::StrAppend(&text, ", ", IsListening(report) ? point.has_staleness() ? "staleness " : "interval " : "", "p99",
                    kNoBreak, ShownQuantile(latency, "p99_us"));
  return text + ".";
}

// Fills word and tone by the verdicts; says which points are not VALID.
void AnswerVerdicts(const proto::Report& report, const std::vector<int>& order, Answer* answer) {
  std::vector<std::string> others;
  int valid = 0;
  for (const int i : order) {
    const proto::Point& point = report.points(i);
    if (point.verdict() == "VALID") {
      ++valid;
    } else {
      others.push_back(absl::StrCat(LevelName(point), kNoBreak, point.verdict()));
    }
  }
  const bool is_sound =
      std::all_of(order.begin(), order.end(), [&report](int i) { return IsSound(report.points(i).verdict()); });
  answer->tone = others.empty() ? Tone::kGood : valid == 0 && !is_sound ? Tone::kBad : Tone::kDoubtful;
  answer->word = others.empty()      ? "VALID"
                 : order.size() == 1 ? report.points(order.front()).verdict()
                                     : absl::StrCat(valid, " of ", order.size(), " points valid");
  if (others.empty() || order.size() == 1) return;
  constexpr std::size_t kMaxNamed = 12;
  const std::size_t left_out = others.size() - std::min(others.size(), kMaxNamed);
  others.resize(others.size() - left_out);
  answer->more.push_back(absl::StrCat(valid == 0 ? "No point is valid: " : "Not valid: ", absl::StrJoin(others, ", "),
                                      left_out == 0 ? "" : absl::StrCat(", and ", left_out, " more"), "."));
}

bool HasNothing(const proto::Report& report) {
  return IsListening(report) ? report.total().accounting().web_socket().messages() == 0
                             : report.total().successful_requests() == 0;
}

std::string Nothing(const proto::Report& report) {
  if (IsListening(report)) return "No message came.";
  const std::uint64_t failed = report.total().failed_requests();
  const std::uint64_t sent = report.total().accounting().sent();
  if (sent == 0) return "No request was sent.";
  return absl::StrCat(
      "No request succeeded: ", failed == 1 ? "the only one" : absl::StrCat("all ", FormatCount(failed)), " failed.");
}

}  // namespace

std::string LevelOf(const proto::Report& report, const proto::Point& point) {
  if (!HasRates(report)) {
    const std::int64_t count = point.connections();
    return absl::StrCat(ShownCount(static_cast<double>(count)), count == 1 ? " connection" : " connections");
  }
  const std::string rate = FormatRate(point.rate_per_s());
  const std::size_t slash = rate.find('/');
  return absl::StrCat(rate.substr(0, slash), " requests", rate.substr(slash));
}

int MostThroughput(const proto::Report& report) {
  int most = -1;
  for (int i = 0; i < report.points_size(); ++i) {
    const proto::Point& point = report.points(i);
    if (point.success_per_s() <= 0) continue;
    if (most < 0 || point.success_per_s() > report.points(most).success_per_s()) most = i;
  }
  return most;
}

Answer AnswerOf(const proto::Report& report) {
  Answer answer;
  const std::vector<int> order = Ascending(report);
  if (order.empty() || HasNothing(report)) {
    answer.tone = Tone::kBad;
    answer.word = "FAILED";
    answer.sentence = order.empty() ? "No point was measured." : Nothing(report);
    if (report.status() == "INTERRUPTED") {
      answer.word = report.status();
      answer.sentence = "Until it was interrupted nothing had succeeded.";
    }
    return answer;
  }
  AnswerVerdicts(report, order, &answer);
  const bool is_closed_sweep = !IsOpenLoop(report) && !IsListening(report) && order.size() > 1;
  const int most = IsListening(report) ? order.back() : MostThroughput(report);
  const std::string throughput = is_closed_sweep ? Throughput(report, most) : "";
  answer.point = most < 0 ? order.back() : most;
  if (!report.points(order.front()).expected().empty()) {
    AnswerExpectations(report, order, &answer);
    if (!throughput.empty()) answer.more.insert(answer.more.begin(), throughput);
    if (order.size() == 1) answer.more.insert(answer.more.begin(), OfPoint(report, report.points(answer.point)));
  } else {
    answer.sentence = throughput.empty() ? OfPoint(report, report.points(answer.point)) : throughput;
  }
  // Who tried fewer levels did not ask for it.
  if (!report.capacity().refusal().empty() && report.points_size() > 2)
    answer.more.push_back(absl::StrCat("No curve was fitted: ", report.capacity().refusal(), "."));
  if (report.status() == "INTERRUPTED" || (report.status() != "COMPLETE" && answer.tone != Tone::kBad)) {
    answer.tone = std::max(answer.tone, Tone::kDoubtful);
    answer.word = report.status();
  }
  if (!report.merge().is_exact() && report.status() == "COMPLETE") {
    answer.tone = Tone::kBad;
    answer.word = "NOT EXACT";
  }
  return answer;
}

}  // namespace tidemark
