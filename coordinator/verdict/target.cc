#include "coordinator/verdict/target.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/clock.h"
#include "common/units.h"
#include "coordinator/analysis/confidence.h"
#include "coordinator/verdict/generator.h"

namespace tidemark {
namespace {

// What failed, by cause: "401", "connect refused".
using Causes = std::vector<std::pair<std::string, std::uint64_t>>;

// Ends of requests that are the target's doing: those of a status that is no success, by the status itself.
constexpr Outcome kBroken[] = {Outcome::kClosedEarly, Outcome::kReset, Outcome::kRequestTimeout, Outcome::kMalformed,
                               Outcome::kOverLimit};
// What was not sent because of the target. A slot that found every connection busy meets a limit, not a failure.
constexpr NeverSent kUnreached[] = {
    NeverSent::kResolve, NeverSent::kConnectRefused, NeverSent::kConnectTimeout, NeverSent::kConnectOther,
    NeverSent::kTls,     NeverSent::kUpgrade,        NeverSent::kConnecting};
constexpr ConnectResult kFailedAttempts[] = {ConnectResult::kRefused, ConnectResult::kTimeout, ConnectResult::kOther,
                                             ConnectResult::kTlsFailed, ConnectResult::kUpgradeFailed};

// Attempts that failed for want of a port or a descriptor here; what else failed so is not told apart from them.
bool RanOut(const PointFacts& facts) { return facts.counters.no_local_port + facts.counters.no_descriptor > 0; }

// Those of `which`, but for `ours`.
template <typename Enum, std::size_t N, std::size_t M, std::size_t K>
void AddCauses(const std::array<std::uint64_t, N>& counts, const std::array<EndRow, M>& rows, const Enum (&which)[K],
               std::optional<Enum> ours, Causes* causes) {
  for (const Enum one : which) {
    if (one == ours) continue;
    const auto at = static_cast<std::size_t>(one);
    if (counts[at] != 0) causes->emplace_back(std::string(rows[at].label), counts[at]);
  }
}

Causes FailedRequests(const PointFacts& facts) {
  Causes causes;
  if (facts.statuses != nullptr) {
    for (const auto& [key, count] : facts.statuses->Counts()) {
      if (!key.is_upgrade && !facts.success.test(key.status)) causes.emplace_back(absl::StrCat(key.status), count);
    }
  }
  AddCauses(facts.counters.outcomes, kOutcomeRows, kBroken, std::optional<Outcome>(), &causes);
  AddCauses(facts.counters.never_sent, kNeverSentRows, kUnreached,
            RanOut(facts) ? std::optional(NeverSent::kConnectOther) : std::nullopt, &causes);
  return causes;
}

// How connections were lost, or could not be had.
Causes LostConnections(const PointFacts& facts) {
  Causes causes;
  AddCauses(facts.counters.connects, kConnectResultRows, kFailedAttempts,
            RanOut(facts) ? std::optional(ConnectResult::kOther) : std::nullopt, &causes);
  for (std::size_t i = 0; i < kClosingRows.size(); ++i) {
    if (facts.counters.closings[i] != 0)
      causes.emplace_back(absl::StrCat("closed by it: ", kClosingRows[i].label), facts.counters.closings[i]);
  }
  return causes;
}

std::uint64_t Total(const Causes& causes) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : causes) sum += count;
  return sum;
}

// "connect refused 536, closed early 1": the three most frequent.
std::string Show(Causes causes) {
  constexpr std::size_t kShown = 3;
  std::stable_sort(causes.begin(), causes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (std::size_t i = 0; i < causes.size() && i < kShown; ++i)
    absl::StrAppend(&text, text.empty() ? "" : ", ", causes[i].first, " ", FormatCount(causes[i].second));
  if (causes.size() > kShown) absl::StrAppend(&text, ", ...");
  return text;
}

std::string Because(const Causes& causes) { return causes.empty() ? "" : absl::StrCat(" (", Show(causes), ")"); }

// "from 14:02:11 UTC on", or without a wall clock "from second 3 on".
std::string FromSecond(const PointFacts& facts, std::size_t second) {
  if (facts.start_wall_s == 0) return absl::StrCat("second ", second);
  return absl::StrCat(FormatWallTime(facts.start_wall_s + static_cast<double>(second)).substr(11, 8), " UTC");
}

void WeighDeadSeconds(const PointFacts& facts, const Causes& failed, const Causes& lost, std::vector<Reason>* reasons) {
  const auto dead = std::count(facts.seconds.begin(), facts.seconds.end(), Second::kDead);
  if (dead == 0) return;
  const auto first = static_cast<std::size_t>(std::find(facts.seconds.begin(), facts.seconds.end(), Second::kDead) -
                                              facts.seconds.begin());
  const bool is_to_the_end = std::all_of(facts.seconds.begin() + static_cast<std::ptrdiff_t>(first),
                                         facts.seconds.end(), [](Second second) { return second == Second::kDead; });
  const auto all = static_cast<double>(facts.seconds.size());
  reasons->push_back({.effect = static_cast<double>(dead) / all,
                      .text = absl::StrCat("it served nobody in ", dead, " of ", facts.seconds.size(), " seconds, ",
                                           is_to_the_end ? "from " : "first at ", FromSecond(facts, first),
                                           is_to_the_end ? " on" : "", Because(failed.empty() ? lost : failed))});
}

void WeighFailures(const PointFacts& facts, const Causes& failed, std::vector<Reason>* reasons) {
  const std::uint64_t failures = Total(failed);
  const std::uint64_t all = failures + facts.counters.success;
  if (failures == 0 || WilsonInterval(failures, all).low <= facts.max_failures) return;
  const double share = static_cast<double>(failures) / static_cast<double>(all);
  reasons->push_back({.effect = share,
                      .text = absl::StrFormat("%s of %s requests failed, %.1f %%%s", FormatCount(failures),
                                              FormatCount(all), share * 100, Because(failed))});
}

// A connection whose request hangs makes no others: by count it hardly shows, but by the time that requests took.
void WeighHung(const PointFacts& facts, std::vector<Reason>* reasons) {
  const bool has_answers = facts.measured != nullptr && facts.measured->count() > 0;
  if (facts.is_listening || !has_answers || facts.censored == nullptr || facts.counters.busy_ns == 0) return;
  Nanos longest = facts.measured->max();
  if (facts.other != nullptr && facts.other->count() > 0) longest = std::max(longest, facts.other->max());
  const Nanos limit = std::max(gate::kHungFor, gate::kHungTimes * longest) + facts.stood_still;
  std::uint64_t count = 0;
  double time = 0;
  Nanos least = 0;
  facts.censored->ForEach([&](std::uint32_t slot, std::uint64_t n) {
    const Nanos value = HistogramLayout::LowestOf(slot);
    if (value <= limit) return;
    if (count == 0) least = value;
    count += n;
    time += static_cast<double>(value) * static_cast<double>(n);
  });
  const double share = time / static_cast<double>(facts.counters.busy_ns);
  if (share <= gate::kHung) return;
  reasons->push_back(
      {.effect = std::min(1.0, share),
       .text = absl::StrFormat("%s requests hung: no answer within %s and more, where the longest answer took %s; "
                               "they took %.1f %% of the time of all requests",
                               FormatCount(count), FormatLatency(static_cast<double>(least) / 1e3),
                               FormatLatency(static_cast<double>(longest) / 1e3), 100 * std::min(1.0, share))});
}

// Connections that heard nothing while others, which asked for the same, heard much.
void WeighMute(const PointFacts& facts, std::vector<Reason>* reasons) {
  if (!facts.is_listening || facts.first_event == nullptr || facts.first_event->count() == 0) return;
  const std::uint64_t heard = facts.first_event->count();
  const bool is_said = facts.counters.messages >= static_cast<std::uint64_t>(gate::kHeard * static_cast<double>(heard));
  if (!is_said || heard >= facts.established) return;
  const std::uint64_t mute = facts.established - heard;
  if (WilsonInterval(mute, facts.established).low <= gate::kMute) return;
  reasons->push_back({.effect = static_cast<double>(mute) / static_cast<double>(facts.established),
                      .text = absl::StrCat(FormatCount(mute), " of ", FormatCount(facts.established),
                                           " connections heard nothing, where each of the others had ",
                                           FormatCount(facts.counters.messages / heard), " messages")});
}

void WeighMix(const PointFacts& facts, std::vector<Reason>* reasons) {
  for (const MixFacts& request : facts.mix) {
    const std::uint64_t failures = request.sent - std::min(request.sent, request.success);
    if (failures == 0 || WilsonInterval(failures, request.sent).low <= gate::kMixFailures) continue;
    const double share = static_cast<double>(failures) / static_cast<double>(request.sent);
    reasons->push_back({.effect = share,
                        .text = absl::StrFormat("of the request '%s' %s of %s failed, %.1f %%", request.name,
                                                FormatCount(failures), FormatCount(request.sent), share * 100)});
  }
}

// Time in which a connection is made anew is missing from what was asked for, but a target whose connections all come
// back at once has only closed them.
void WeighAvailability(const PointFacts& facts, const Causes& lost, std::vector<Reason>* reasons) {
  const Counters& counters = facts.counters;
  if (!facts.has_availability || counters.asked_ns == 0 || lost.empty()) return;
  const double up = static_cast<double>(counters.up_ns) / static_cast<double>(counters.asked_ns);
  if (up >= gate::kAvailability) return;
  reasons->push_back(
      {.effect = 1 - up,
       .text = absl::StrFormat("connections were up for %.1f %% of the time asked for%s", up * 100, Because(lost))});
}

// Of several addresses each is to serve somebody, to the end.
void WeighAddresses(const PointFacts& facts, std::vector<Reason>* reasons) {
  if (facts.addresses == nullptr) return;
  const std::size_t count = facts.addresses->sums().size();
  for (const std::string& address : facts.addresses->WithoutSuccess(facts.is_listening)) {
    const AddressSum& sum = facts.addresses->sums().at(address);
    if (sum.failed == 0 && RanOut(facts)) continue;
    std::string text =
        absl::StrCat(address, ", one of ", count, " addresses, served nobody: ", FormatCount(sum.established), " of ",
                     FormatCount(sum.established + sum.failed_attempts), " connections established");
    if (sum.failed != 0) absl::StrAppend(&text, ", 0 of ", FormatCount(sum.failed), " requests succeeded");
    if (facts.is_listening && sum.established != 0) absl::StrAppend(&text, ", no message came");
    reasons->push_back({.effect = 1.0 / static_cast<double>(count), .text = std::move(text)});
  }
  for (const auto& [address, from] : facts.silent) {
    const std::uint32_t seconds = facts.windows->back().second + 1;
    reasons->push_back(
        {.effect = static_cast<double>(seconds - from) / (static_cast<double>(seconds) * static_cast<double>(count)),
         .text = absl::StrCat(address, ", one of ", count, " addresses, served nobody from ", FromSecond(facts, from),
                              " on, after ", FormatCount(facts.addresses->sums().at(address).succeeded),
                              facts.is_listening ? " messages" : " successes")});
  }
}

}  // namespace

std::vector<Reason> WhyFailing(const PointFacts& facts) {
  const Causes failed = FailedRequests(facts);
  const Causes lost = LostConnections(facts);
  std::vector<Reason> reasons;
  WeighDeadSeconds(facts, failed, lost, &reasons);
  WeighFailures(facts, failed, &reasons);
  WeighMix(facts, &reasons);
  WeighAvailability(facts, lost, &reasons);
  WeighAddresses(facts, &reasons);
  if (reasons.empty()) WeighMute(facts, &reasons);
  if (reasons.empty()) WeighHung(facts, &reasons);  // what is seen otherwise has its cause
  return reasons;
}

std::vector<Reason> WhyTargetLimited(const PointFacts& facts) {
  if (!facts.is_open_loop || facts.counters.planned == 0) return {};
  // What we kept back ourselves says nothing of it.
  const std::uint64_t held = KeptBack(facts);
  if (held >= facts.counters.planned) return {};
  const auto planned = static_cast<double>(facts.counters.planned - held);
  const double unsent = 1 - static_cast<double>(facts.counters.sent) / planned;
  const double waited = ShareThatWaited(facts);
  if (1 - unsent < gate::kSent) {
    return {{.effect = unsent,
             .text = absl::StrFormat("%.1f %% of the requests that were due could not be sent", unsent * 100)}};
  }
  if (waited > gate::kMayWait && held == 0 && !IsAtConnectRate(facts)) {
    return {{.effect = waited,
             .text = absl::StrFormat("%.1f %% of the requests found every connection busy when they were due: the "
                                     "target is slower than the rate, or there are too few connections",
                                     waited * 100)}};
  }
  return {};
}

}  // namespace tidemark
