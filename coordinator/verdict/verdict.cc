#include "coordinator/verdict/verdict.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/analysis/steady.h"
#include "coordinator/verdict/generator.h"
#include "coordinator/verdict/reasons.h"
#include "coordinator/verdict/remarks.h"
#include "coordinator/verdict/target.h"

namespace tidemark {
namespace {

// Of streams a second without a message may be chance, and so may a short point of slow ones; but there is nothing in
// it that could be valid.
bool IsMute(const PointFacts& facts) {
  return facts.is_listening && facts.counters.messages == facts.counters.early_messages && facts.counters.up_ns > 0;
}

// Most messages had nothing where the plan looks: what was to be found in them, nobody looked at.
bool IsUnreadable(const PointFacts& facts) {
  return facts.is_listening &&
         2 * facts.counters.findings[static_cast<std::size_t>(Finding::kUnread)] > facts.counters.messages;
}

// Whether the seconds settled, and when.
void JudgeSteadiness(const PointFacts& facts, Judgement* judgement) {
  if (IsMute(facts)) {
    judgement->target = TargetState::kNotSteady;
    judgement->target_reason =
        absl::StrFormat("not one message came in %.3g s: there is nothing to judge; run it longer", facts.duration_s);
    return;
  }
  if (IsUnreadable(facts)) {
    judgement->target = TargetState::kNotSteady;
    judgement->target_reason = absl::StrCat(
        facts.counters.findings[static_cast<std::size_t>(Finding::kUnread)], " of ", facts.counters.messages,
        " messages have no value at one of the plan's pointers (stream, time, numbers), or are no JSON: nothing was "
        "found in them; look at the pointers");
    return;
  }
  std::vector<double> means;
  for (const WindowSum& window : *facts.windows) {
    if (window.second + 1 > facts.duration_s) break;  // cut short by the end, or after it
    if (window.stood_still >= gate::kStoodStill) continue;
    if (facts.is_listening ? window.mean_us > 0 : window.success > 0) means.push_back(window.mean_us);
  }
  const Steadiness steady = FindSteadyState(means);
  if (steady.kind == Steadiness::Kind::kNever) {
    judgement->target = TargetState::kNotSteady;
    judgement->target_reason =
        absl::StrCat("the ", facts.measured_name, " never settled (MSER-5 over seconds); run it longer");
  } else if (steady.kind == Steadiness::Kind::kAfter) {
    judgement->notes.push_back(
        absl::StrCat("settled only after ", steady.cut, " s (MSER-5); a warm-up of that length would leave it out"));
  }
}

// Had each answer been read when it came, how many connections would have been busy on average, by Little's law on the
// wire, those included whose answer never came; nothing where that is not measured, or where all of them at once waited
// long for answers that never came: then they were all busy, whatever the average says.
std::optional<double> BusyOnWire(const PointFacts& facts) {
  if (!IsStamped(facts) || facts.duration_s <= 0) return std::nullopt;
  if (facts.censored != nullptr) {
    constexpr auto kLong = static_cast<double>(500 * kMillisecond);
    const double usual = 10 * facts.wire->Mean();
    double hung = 0;
    facts.censored->ForEach([&](std::uint32_t slot, std::uint64_t count) {
      const auto waited = static_cast<double>(HistogramLayout::HighestOf(slot));
      if (waited > std::max(kLong, usual)) hung += static_cast<double>(count);
    });
    if (hung >= gate::kEnough * static_cast<double>(facts.connections)) return std::nullopt;
  }
  const double unanswered = facts.censored == nullptr ? 0 : static_cast<double>(facts.censored->sum());
  return (static_cast<double>(facts.counters.planned) * facts.wire->Mean() + unanswered) / facts.duration_s / 1e9;
}

void JudgeTarget(const PointFacts& facts, Judgement* judgement) {
  if (const std::string failing = Join(WhyFailing(facts)); !failing.empty()) {
    judgement->target = TargetState::kFailing;
    judgement->target_reason = failing;
    return;
  }
  const std::string limited = Join(WhyTargetLimited(facts));
  if (limited.empty()) return JudgeSteadiness(facts, judgement);
  // Answers that lay unread kept connections busy.
  const std::optional<double> busy = BusyOnWire(facts);
  if (judgement->generator == Generator::kLimited && busy &&
      *busy < gate::kEnough * static_cast<double>(facts.connections)) {
    absl::StrAppendFormat(&judgement->generator_reason,
                          "; %s; but on the wire %.1f of %d connections would have been busy on average", limited,
                          *busy, facts.connections);
    return JudgeSteadiness(facts, judgement);
  }
  // Workers without room for more work leave connections busy with answers that lie unread: no target is to blame then.
  const WorkerTime time = WorkerTimeOf(facts);
  if ((facts.is_spinning ? 0 : time.computed) + time.waited <= gate::kWorkerCpu) {
    judgement->target = TargetState::kLimited;
    judgement->target_reason = limited;
    return;
  }
  judgement->generator = Generator::kLimited;
  absl::StrAppendFormat(&judgement->generator_reason,
                        "%s%s; but the generator's workers computed for %.0f %% of the time and waited for a core for "
                        "%.0f %%: they had no room left",
                        judgement->generator_reason.empty() ? "" : "; ", limited, time.computed * 100,
                        time.waited * 100);
}

// The graver of the two answers; the other, if it is grave too, becomes a note.
void ChooseWord(Judgement* judgement) {
  const bool is_limited = judgement->generator == Generator::kLimited;
  switch (judgement->target) {
    case TargetState::kFailing:
      judgement->verdict = Verdict::kTargetFailing;
      judgement->reason = judgement->target_reason;
      if (is_limited)
        judgement->notes.push_back(absl::StrCat("the generator was limited too: ", judgement->generator_reason));
      return;
    case TargetState::kLimited:
    case TargetState::kNotSteady:
      judgement->verdict = judgement->target == TargetState::kLimited ? Verdict::kTargetLimited : Verdict::kNotSteady;
      judgement->reason = judgement->target_reason;
      break;
    case TargetState::kSteady:
      break;
  }
  if (!is_limited) return;
  judgement->verdict = Verdict::kGeneratorLimited;
  judgement->reason = judgement->generator_reason;
}

}  // namespace

absl::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPartial:
      return "PARTIAL";
    case Verdict::kTargetFailing:
      return "TARGET_FAILING";
    case Verdict::kGeneratorLimited:
      return "GENERATOR_LIMITED";
    case Verdict::kTargetLimited:
      return "TARGET_LIMITED";
    case Verdict::kNotSteady:
      return "NOT_STEADY";
    case Verdict::kValid:
      return "VALID";
  }
  return "";
}

bool IsSound(absl::string_view verdict) {
  return verdict == Name(Verdict::kValid) || verdict == Name(Verdict::kTargetLimited);
}

absl::string_view Name(Generator generator) { return generator == Generator::kTrusted ? "TRUSTED" : "LIMITED"; }

absl::string_view Name(TargetState target) {
  switch (target) {
    case TargetState::kSteady:
      return "STEADY";
    case TargetState::kNotSteady:
      return "NOT_STEADY";
    case TargetState::kLimited:
      return "LIMITED";
    case TargetState::kFailing:
      return "FAILING";
  }
  return "";
}

std::string Join(std::vector<Reason> reasons) {
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.effect > b.effect; });
  std::string text;
  for (const Reason& reason : reasons) absl::StrAppend(&text, text.empty() ? "" : "; ", reason.text);
  return text;
}

Judgement Judge(const PointFacts& facts) {
  Judgement judgement;
  if (facts.is_partial) {
    judgement.verdict = Verdict::kPartial;
    judgement.reason = "not all of the point was run";
    return judgement;
  }
  judgement.notes = RemarksOn(facts);
  judgement.generator_reason = Join(WhyLimited(facts, &judgement.notes));
  if (!judgement.generator_reason.empty()) {
    judgement.generator = Generator::kLimited;
    judgement.slowed_the_loop = !facts.is_open_loop && SlowedTheLoop(facts);
  }
  JudgeTarget(facts, &judgement);
  ChooseWord(&judgement);
  return judgement;
}

}  // namespace tidemark
