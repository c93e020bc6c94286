#include "coordinator/merge/failures.h"

#include <cstddef>

#include "common/check.h"

namespace tidemark {
namespace {

constexpr std::uint64_t Failures::*kClasses[] = {&Failures::status_4xx,   &Failures::status_429, &Failures::status_5xx,
                                                 &Failures::other_status, &Failures::timed_out,  &Failures::no_answer,
                                                 &Failures::never_sent};

bool IsComplete(Outcome outcome) {
  std::array<std::uint64_t, kOutcomeCount> one{};
  one[static_cast<std::size_t>(outcome)] = 1;
  return CompleteOf(one) != 0;
}

}  // namespace

void Failures::Add(const Failures& other) {
  for (const auto field : kClasses) this->*field += other.*field;
}

std::uint64_t Failures::Total() const {
  std::uint64_t sum = 0;
  for (const auto field : kClasses) sum += this->*field;
  return sum;
}

std::uint64_t Failures::*FailureClassOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStatus4xx:
      return &Failures::status_4xx;
    case Outcome::kStatus429:
      return &Failures::status_429;
    case Outcome::kStatus5xx:
      return &Failures::status_5xx;
    case Outcome::kStatus2xx:
    case Outcome::kStatus3xx:
    case Outcome::kStatusOther:
    case Outcome::kReply:
      return &Failures::other_status;
    case Outcome::kRequestTimeout:
      return &Failures::timed_out;
    case Outcome::kClosedEarly:
    case Outcome::kReset:
    case Outcome::kMalformed:
    case Outcome::kOverLimit:
    case Outcome::kCutOff:
      return &Failures::no_answer;
    case Outcome::kCount:
      break;
  }
  CHECK(false);
}

Failures FailuresOf(const Counters& delta, const StatusCounts::Rows& statuses, const StatusSet& success) {
  Failures failures;
  failures.never_sent = delta.NeverSentTotal();
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (!IsComplete(outcome)) failures.*FailureClassOf(outcome) += delta.outcomes[i];
  }
  for (const proto::StatusSum& row : statuses) {
    if (row.is_upgrade() || success[row.status()]) continue;
    failures.*FailureClassOf(OutcomeOfStatus(static_cast<int>(row.status()))) += row.count();
  }
  return failures;
}

}  // namespace tidemark
