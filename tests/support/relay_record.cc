#include "tests/support/relay_record.h"

#include <algorithm>

namespace tidemark {
namespace {

constexpr int kUsual = 10;         // a second, so that one without any is dead
constexpr std::size_t kLast = 10;  // requests that ended

bool IsIn(Nanos at, Nanos from, Nanos to) { return at != 0 && at >= from && at < to; }

// Of the counts that are not 0.
std::int64_t Median(std::vector<std::int64_t> counts) {
  counts.erase(std::remove(counts.begin(), counts.end(), 0), counts.end());
  if (counts.empty()) return 0;
  std::sort(counts.begin(), counts.end());
  return counts[counts.size() / 2];
}

void CountSecond(Nanos at, Nanos from, std::vector<std::int64_t>* counts) {
  if (at == 0 || at < from) return;
  const auto second = static_cast<std::size_t>((at - from) / kSecond);
  if (second < counts->size()) ++(*counts)[second];
}

}  // namespace

std::int64_t RelayRecord::Responses(Nanos from, Nanos to) const {
  return std::count_if(exchanges.begin(), exchanges.end(), [&](const Exchange& e) { return IsIn(e.passed, from, to); });
}

std::int64_t RelayRecord::Successes(Nanos from, Nanos to) const {
  return std::count_if(exchanges.begin(), exchanges.end(),
                       [&](const Exchange& e) { return e.IsSuccess() && IsIn(e.passed, from, to); });
}

std::int64_t RelayRecord::Messages(Side sender, Nanos from, Nanos to) const {
  return std::count_if(messages.begin(), messages.end(), [&](const RelayedMessage& m) {
    return m.from == sender && m.IsData() && IsIn(m.passed, from, to);
  });
}

double RelayRecord::ConnectionSeconds(Nanos from, Nanos to, Up since) const {
  Nanos sum = 0;
  for (const RelayedConnection& connection : connections) {
    const Nanos begin = since == Up::kOpened ? connection.opened : connection.upgraded;
    if (begin == 0) continue;
    const Nanos end = connection.ended == 0 ? to : std::min(connection.ended, to);
    sum += std::max<Nanos>(0, end - std::max(begin, from));
  }
  return static_cast<double>(sum) / 1e9;
}

Nanos RelayRecord::EndOf(const Exchange& exchange) const {
  return exchange.passed != 0 ? exchange.passed : connections[exchange.connection].ended;
}

std::vector<Exchange> RelayRecord::Unanswered() const {
  std::vector<Exchange> unanswered;
  for (const Exchange& e : exchanges) {
    if (e.passed == 0 && EndOf(e) != 0) unanswered.push_back(e);
  }
  return unanswered;
}

std::vector<Exchange> RelayRecord::UnderWayAt(Nanos at) const {
  std::vector<Exchange> under_way;
  for (const Exchange& e : exchanges) {
    const Nanos end = EndOf(e);
    if (e.last <= at && (end == 0 || end > at)) under_way.push_back(e);
  }
  return under_way;
}

std::vector<int> RelayRecord::DeadSeconds(Nanos from, int count) const {
  const auto seconds = static_cast<std::size_t>(count);
  std::vector<std::int64_t> successes(seconds);
  std::vector<std::int64_t> under_way(seconds);
  std::vector<std::int64_t> will_succeed(seconds);  // of those under way
  std::vector<std::pair<Nanos, bool>> ended;        // and whether with success
  for (const Exchange& e : exchanges) {
    const bool is_success = e.IsSuccess();
    if (is_success) CountSecond(e.passed, from, &successes);
    const Nanos end = EndOf(e);
    if (end != 0) ended.emplace_back(end, is_success);
    const Nanos last = from + count * kSecond - 1;
    if (e.last > last || (end != 0 && end < from)) continue;
    const auto first_second = static_cast<std::size_t>(std::max<Nanos>(0, e.last - from) / kSecond);
    const auto last_second = static_cast<std::size_t>(((end == 0 ? last : std::min(end, last)) - from) / kSecond);
    for (std::size_t s = first_second; s <= last_second; ++s) {
      ++under_way[s];
      if (is_success) ++will_succeed[s];
    }
  }
  std::sort(ended.begin(), ended.end());
  const std::int64_t usual = Median(successes);
  std::vector<int> dead;
  std::size_t ended_by = 0;  // the second's end
  for (std::size_t s = 0; s < seconds; ++s) {
    while (ended_by < ended.size() && ended[ended_by].first < from + static_cast<Nanos>(s + 1) * kSecond) ++ended_by;
    bool have_last_failed = ended_by >= kLast;
    for (std::size_t i = 1; i <= kLast && have_last_failed; ++i) have_last_failed = !ended[ended_by - i].second;
    const bool is_dead = (successes[s] == 0 && usual >= kUsual) || (under_way[s] > 0 && will_succeed[s] == 0) ||
                         (successes[s] == 0 && have_last_failed);
    if (is_dead) dead.push_back(static_cast<int>(s));
  }
  return dead;
}

std::vector<int> RelayRecord::SilentSeconds(Nanos from, int count) const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(count));
  for (const RelayedMessage& message : messages) {
    if (message.from == Side::kTarget && message.IsData()) CountSecond(message.passed, from, &counts);
  }
  std::vector<int> silent;
  if (Median(counts) < kUsual) return silent;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    if (counts[s] == 0) silent.push_back(static_cast<int>(s));
  }
  return silent;
}

std::vector<Nanos> RelayRecord::InstantsOf(const std::string& what) const {
  std::vector<Nanos> instants;
  for (const RelayEvent& event : events) {
    if (event.what.rfind(what, 0) == 0) instants.push_back(event.at);
  }
  return instants;
}

}  // namespace tidemark
