#include "agent/stream_listener.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/plan.h"

namespace tidemark {
namespace {

// A target may leave messages out while we do not read, and what follows them comes when we do again: a gap so soon
// after is ours.
constexpr Nanos kCatchUp = kSecond;
// Streams of one connection that are told apart.
constexpr std::size_t kMaxStreams = 1'024;
constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 62;

bool NumberAt(const std::string& pointer, JsonPointers* json, std::uint64_t* number) {
  absl::string_view text;
  return json->Get(pointer, &text) && absl::SimpleAtoi(text, number) && *number < kMaxNumber;
}

struct Numbers {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool is_beginning = false;  // of a stream, or of one that begins anew
};

// What SequenceAudit wants to know of the message that `json` has read. `is_first`: of its stream.
std::optional<Numbers> NumbersOf(const StreamRules& rules, bool is_first, JsonPointers* json) {
  Numbers numbers;
  if (!NumberAt(rules.number, json, &numbers.last)) return std::nullopt;
  numbers.first = numbers.last;
  if (rules.has_ranges && (!NumberAt(rules.first, json, &numbers.first) || numbers.first > numbers.last))
    return std::nullopt;
  if (!rules.is_linked) return numbers;
  absl::string_view previous;
  const bool has_previous = json->Get(rules.previous, &previous);
  // OKX: the message before a snapshot has the number -1. Deribit: a snapshot points to none.
  numbers.is_beginning = has_previous ? previous == "-1" : is_first;
  if (numbers.is_beginning) return numbers;
  if (!NumberAt(rules.previous, json, &numbers.first)) return std::nullopt;
  ++numbers.first;
  return numbers;
}

// The same for all agents: FNV-1a of name and number, mixed.
std::uint64_t EventHash(absl::string_view stream, absl::string_view event) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const absl::string_view part : {stream, absl::string_view("\0", 1), event}) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return Mix64(hash);
}

}  // namespace

Match Match::Of(absl::string_view text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  return {.pointer = parts.first, .value = parts.second};
}

bool Match::IsIn(JsonPointers* json) const {
  absl::string_view found;
  return json->Get(pointer, &found) && found == value;
}

StreamRules StreamRules::Of(const proto::Listen& listen) {
  const proto::Sequence& sequence = listen.sequence();
  StreamRules rules{.stream = listen.stream(),
                    .time = listen.time(),
                    .time_unit = *ParseTimeUnit("time_unit", listen.time_unit()),
                    .number = sequence.number(),
                    .first = sequence.first(),
                    .previous = sequence.previous(),
                    .has_ranges = sequence.rule() == "range",
                    .is_linked = sequence.rule() == "link",
                    .has_snapshots = !sequence.snapshot().empty(),
                    .snapshot = Match::Of(sequence.snapshot()),
                    .bids = sequence.bids(),
                    .asks = sequence.asks(),
                    .depth = static_cast<std::size_t>(sequence.depth()),
                    .event = listen.fan_out(),
                    .ignore = {}};
  for (const std::string& match : listen.ignore()) rules.ignore.push_back(Match::Of(match));
  return rules;
}

bool StreamListener::Take(absl::string_view message, std::uint64_t bytes, const Arrival& arrival, Recorder* recorder) {
  Counters& counters = recorder->counters;
  if (rules_.MustRead()) json_.Read(message);
  for (const Match& match : rules_.ignore) {
    if (!match.IsIn(&json_)) continue;
    ++counters[Finding::kIgnored];
    return false;
  }
  absl::string_view name;
  Stream* stream = nullptr;
  bool is_read = FindStream(&name, &stream);
  if (stream == nullptr) {
    ++counters[Finding::kUnread];
    return true;
  }
  StreamSum& sum = SumOf(name, recorder);
  ++sum.messages;
  sum.bytes += bytes;
  const Nanos before = std::exchange(stream->last, arrival.now);
  if (before != 0) (*recorder)[Metric::kInterval].Record(arrival.now - before);
  is_read = (rules_.time.empty() || RecordStaleness(arrival, recorder)) && is_read;
  is_read = (rules_.event.empty() || RecordReceipt(name, arrival, recorder)) && is_read;
  if (rules_.has_snapshots) {
    is_read = AuditSnapshots(stream, &sum, &counters) && is_read;
  } else if (!rules_.number.empty()) {
    is_read = AuditNumbers(arrival, before, stream, &sum, &counters) && is_read;
  }
  if (!is_read) ++counters[Finding::kUnread];
  return true;
}

// Of a message without a name, the stream of those that have none. None if there are too many, or its name is too long.
bool StreamListener::FindStream(absl::string_view* name, Stream** stream) {
  absl::string_view text;
  const bool is_named = rules_.stream.empty() || json_.Get(rules_.stream, &text);
  auto found = streams_.find(text);
  if (found == streams_.end()) {
    if (streams_.size() >= kMaxStreams || text.size() > NamedCounts::kMaxStreamName) return false;
    found = streams_.try_emplace(std::string(text)).first;
  }
  *name = found->first;
  *stream = &found->second;
  return is_named;
}

bool StreamListener::RecordStaleness(const Arrival& arrival, Recorder* recorder) {
  const auto instant = json_.GetInstant(rules_.time, rules_.time_unit);
  if (!instant) return false;
  (*recorder)[Metric::kStaleness].Record(WallNow() + arrival.clock_offset - instant->at);
  return true;
}

bool StreamListener::RecordReceipt(absl::string_view stream, const Arrival& arrival, Recorder* recorder) {
  absl::string_view event;
  if (!json_.Get(rules_.event, &event)) return false;
  const Nanos since = arrival.since_start;
  if (since >= 0) recorder->AddReceipts(EventHash(stream, event), {.first = since, .last = since, .count = 1});
  return true;
}

bool StreamListener::AuditNumbers(const Arrival& arrival, Nanos before, Stream* stream, StreamSum* sum,
                                  Counters* counters) {
  const auto numbers = NumbersOf(rules_, before == 0, &json_);
  if (!numbers) return false;
  const bool is_behind = before <= arrival.behind_at || arrival.now - arrival.behind_at < kCatchUp;
  Count(numbers->is_beginning ? stream->audit.Begin(numbers->last)
                              : stream->audit.Add(numbers->first, numbers->last, rules_.is_linked, is_behind),
        sum, counters);
  return true;
}

// Of a stream of snapshots and changes: by its number, or by the checksum of the book.
bool StreamListener::AuditSnapshots(Stream* stream, StreamSum* sum, Counters* counters) {
  const bool is_snapshot = rules_.snapshot.IsIn(&json_);
  std::uint64_t number = 0;
  if (!NumberAt(rules_.number, &json_, &number)) return false;
  if (!rules_.asks.empty()) return AuditBook(number, is_snapshot, stream, counters);
  Count(stream->snapshots.Add(number, is_snapshot), sum, counters);
  return true;
}

bool StreamListener::AuditBook(std::uint64_t checksum, bool is_snapshot, Stream* stream, Counters* counters) {
  OrderBook::Levels bids;
  OrderBook::Levels asks;
  if (stream->book == nullptr) stream->book = std::make_unique<OrderBook>(rules_.depth);
  (*counters)[Finding::kSnapshot] += is_snapshot ? 1 : 0;
  if (is_snapshot) stream->book->Begin();
  const bool is_read = checksum <= std::numeric_limits<std::uint32_t>::max() && json_.GetPairs(rules_.bids, &bids) &&
                       json_.GetPairs(rules_.asks, &asks) && stream->book->Apply(bids, asks);
  if (!is_read) return false;
  switch (stream->book->Verify(static_cast<std::uint32_t>(checksum))) {
    case OrderBook::Check::kUnsynced:
      ++(*counters)[Finding::kUnsynced];
      break;
    case OrderBook::Check::kRight:
      ++(*counters)[Finding::kChecked];
      break;
    case OrderBook::Check::kWrong:
      ++(*counters)[Finding::kChecksumWrong];
      break;
  }
  return true;
}

void StreamListener::End(Recorder* recorder) {
  for (auto& [name, stream] : streams_) Count(stream.audit.End(), &SumOf(name, recorder), &recorder->counters);
}

void StreamListener::Count(const SequenceAudit::Findings& findings, StreamSum* sum, Counters* counters) const {
  // How far a link points back says nothing of how many messages there were.
  const std::uint64_t lost = rules_.is_linked ? 0 : findings.lost;
  sum->gaps += findings.gaps;
  sum->lost += lost;
  Counters& c = *counters;
  c[Finding::kGap] += findings.gaps;
  c[Finding::kLost] += lost;
  c[Finding::kGapBehind] += findings.gaps_behind;
  c[Finding::kDuplicate] += findings.duplicates;
  c[Finding::kReordered] += findings.reordered;
  c[Finding::kReset] += findings.resets;
  c[Finding::kSnapshot] += findings.snapshots;
  c[Finding::kSuspect] += findings.suspects;
  c[Finding::kUnsynced] += findings.unsynced;
}

}  // namespace tidemark
