#include "agent/audit/stream_listener.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/plan/durations.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

// A target may leave messages out while we do not read, and what follows them comes when we do again: a gap so soon
// after is ours.
constexpr Nanos kCatchUp = kSecond;
// Streams of one connection that are told apart.
constexpr std::size_t kMaxStreams = 1'024;
constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 62;
// The mean interval of a connection, or of a stream, says what is usual when it has had so many events. Shorter
// silences than kLeastSilence are the scheduler's.
constexpr std::int64_t kUsualEvents = 16;
constexpr Nanos kLeastSilence = 100 * kMillisecond;
// With each event so many streams are looked at in turn: what has fallen silent is found when the others have had so
// many events as there are streams, and it costs the same however many there are.
constexpr int kLooks = 2;

struct Numbers {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool is_beginning = false;  // of a stream, or of one that begins anew
};

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
  const std::vector<std::string> arrays = ArraysOf(listen.events());
  const auto place = [&arrays](const std::string& pointer) { return PlaceOf(arrays, pointer); };
  StreamRules rules{.arrays = arrays,
                    .stream = place(listen.stream()),
                    .time = place(listen.time()),
                    .time_unit = *ParseTimeUnit("time_unit", listen.time_unit()),
                    .number = place(sequence.number()),
                    .first = place(sequence.first()),
                    .previous = place(sequence.previous()),
                    .has_ranges = sequence.rule() == "range",
                    .is_linked = sequence.rule() == "link",
                    .is_of_connection = sequence.scope() == "connection",
                    .has_snapshots = !sequence.snapshot().empty(),
                    .snapshot_level = 0,
                    .snapshot = Match::Of(sequence.snapshot()),
                    .bids = place(sequence.bids()),
                    .asks = place(sequence.asks()),
                    .depth = static_cast<std::size_t>(sequence.depth()),
                    .event = place(listen.fan_out()),
                    .ignore = {},
                    .silence = FromProto(listen.silence()),
                    .silence_factor = listen.silence_factor()};
  const auto put = [&place](Match* match, std::size_t* level) {
    Place at = place(match->pointer);
    *level = at.level;
    match->pointer = std::move(at.pointer);
  };
  put(&rules.snapshot, &rules.snapshot_level);
  for (const std::string& match : listen.ignore()) {
    Ignored& ignored = rules.ignore.emplace_back(Ignored{.match = Match::Of(match)});
    put(&ignored.match, &ignored.level);
  }
  return rules;
}

Nanos StreamRules::Patience(Nanos first_event, Nanos last_event, std::int64_t events) const {
  Nanos longest = silence == 0 ? std::numeric_limits<Nanos>::max() / 2 : silence;
  if (silence_factor != 0 && events >= kUsualEvents) {
    const Nanos usual = (last_event - first_event) / (events - 1);
    longest = std::min(longest, std::max(kLeastSilence, usual * silence_factor));
  }
  return longest;
}

bool StreamListener::Take(absl::string_view message, std::uint64_t bytes, const Arrival& arrival, Recorder* recorder) {
  ++messages_;
  has_event_ = false;
  if (rules_.MustRead()) json_.Read(message);
  if (IsIgnored(0)) {
    ++recorder->counters[Finding::kIgnored];
    PassNumbers(0, arrival, recorder);
  } else if (rules_.arrays.empty()) {
    TakeEvent(bytes, arrival, recorder);
  } else {
    TakeItems(1, false, arrival, recorder);
  }
  if (has_event_) Hear(arrival, recorder);
  return has_event_;
}

void StreamListener::PassOver(absl::string_view message, const Arrival& arrival, Recorder* recorder) {
  if (rules_.number.empty()) return;
  json_.Read(message);
  PassNumbers(0, arrival, recorder);
}

bool StreamListener::IsIgnored(std::size_t level) {
  return std::any_of(rules_.ignore.begin(), rules_.ignore.end(), [&](const StreamRules::Ignored& ignored) {
    return ignored.level == level && ignored.match.IsIn(&At(level));
  });
}

void StreamListener::TakeItems(std::size_t level, bool is_passed, const Arrival& arrival, Recorder* recorder) {
  Counters& counters = recorder->counters;
  if (!is_passed && rules_.number.level + 1 == level && !rules_.number.empty()) {
    // The numbers are of what holds the items.
    absl::string_view name;
    Stream* stream = nullptr;
    const bool is_read = rules_.is_of_connection || FindStream(&name, &stream);
    const bool is_tracked = rules_.is_of_connection || stream != nullptr;
    if (!is_read || (is_tracked && !Audit(name, stream, arrival, recorder))) ++counters[Finding::kUnread];
  }
  JsonPointers& outer = At(level - 1);
  if (!outer.ReadItems(rules_.arrays[level - 1])) {
    if (is_passed) return;
    ++counters[Finding::kUnread];
    has_event_ = true;
    return;
  }
  for (const absl::string_view item : outer.items()) {
    At(level).Read(item);
    if (is_passed) {
      PassNumbers(level, arrival, recorder);
    } else if (IsIgnored(level)) {
      ++counters[Finding::kIgnored];
      PassNumbers(level, arrival, recorder);
    } else if (level < rules_.arrays.size()) {
      TakeItems(level + 1, false, arrival, recorder);
    } else {
      ++counters[Finding::kEvent];
      TakeEvent(item.size(), arrival, recorder);
    }
  }
}

// What has been read at `level` is no event. Numbers of what holds it have been audited.
void StreamListener::PassNumbers(std::size_t level, const Arrival& arrival, Recorder* recorder) {
  if (rules_.number.empty() || !rules_.asks.empty() || rules_.number.level < level) return;
  if (rules_.number.level > level) return TakeItems(level + 1, true, arrival, recorder);
  absl::string_view text;
  const bool has_all = Get(rules_.number, &text) && (rules_.previous.empty() || Get(rules_.previous, &text)) &&
                       (rules_.is_of_connection || rules_.stream.empty() || Get(rules_.stream, &text));
  if (!has_all) return;
  absl::string_view name;
  Stream* stream = nullptr;
  if (!rules_.is_of_connection) FindStream(&name, &stream);
  if (rules_.is_of_connection || stream != nullptr) Audit(name, stream, arrival, recorder);
}

void StreamListener::TakeEvent(std::uint64_t bytes, const Arrival& arrival, Recorder* recorder) {
  Counters& counters = recorder->counters;
  has_event_ = true;
  absl::string_view name;
  Stream* stream = nullptr;
  bool is_read = FindStream(&name, &stream);
  if (stream == nullptr) {
    if (is_read) {
      StreamSum& others = SumOf(name, recorder);
      ++others.messages;
      others.bytes += bytes;
    } else {
      ++counters[Finding::kUnread];
    }
    return;
  }
  StreamSum& sum = SumOf(name, recorder);
  ++sum.messages;
  sum.bytes += bytes;
  if (stream->events++ == 0) {
    stream->first = arrival.now;
  } else if (stream->message != messages_) {
    (*recorder)[Metric::kInterval].Record(arrival.now - stream->last);
  }
  stream->last = arrival.now;
  stream->message = messages_;
  stream->is_silent = false;
  if (rules_.time.empty() && noted_ != nullptr) noted_->push_back({});
  is_read = (rules_.time.empty() || RecordStaleness(arrival, recorder)) && is_read;
  is_read = (rules_.event.empty() || RecordReceipt(name, arrival, recorder)) && is_read;
  if (!rules_.number.empty() && rules_.number.level == rules_.arrays.size())
    is_read = Audit(name, stream, arrival, recorder) && is_read;
  if (!is_read) ++counters[Finding::kUnread];
}

// Of a message without a name, the stream of those that have none. Of too many streams, or too long a name, there is
// none, and the name is that of the others, which are counted and not tracked. False without a name where one is due.
bool StreamListener::FindStream(absl::string_view* name, Stream** stream) {
  absl::string_view text;
  const bool is_named = rules_.stream.empty() || Get(rules_.stream, &text);
  auto found = streams_.find(text);
  if (found == streams_.end()) {
    if (text.size() > NamedCounts::kMaxStreamName || streams_.size() >= kMaxStreams) {
      *name = NamedCounts::kOtherStreams;
      return is_named;
    }
    found = streams_.try_emplace(std::string(text)).first;
  }
  *name = found->first;
  *stream = &found->second;
  return is_named;
}

bool StreamListener::RecordStaleness(const Arrival& arrival, Recorder* recorder) {
  const auto instant = At(rules_.time.level).GetInstant(rules_.time.pointer, rules_.time_unit);
  if (!instant) return false;
  const Nanos at = instant->at - arrival.clock_offset;
  const Nanos staleness = WallNow() - at;
  (*recorder)[Metric::kStaleness].Record(staleness);
  if (noted_ != nullptr) [[unlikely]]
    noted_->push_back({.staleness = staleness, .at = at});
  return true;
}

bool StreamListener::RecordReceipt(absl::string_view stream, const Arrival& arrival, Recorder* recorder) {
  absl::string_view event;
  if (!Get(rules_.event, &event)) return false;
  const Nanos since = arrival.since_start;
  if (since >= 0) recorder->AddReceipts(EventHash(stream, event), {.first = since, .last = since, .count = 1});
  return true;
}

bool StreamListener::NumberAt(const Place& place, std::uint64_t* number) {
  absl::string_view text;
  return Get(place, &text) && absl::SimpleAtoi(text, number) && *number < kMaxNumber;
}

// By the plan's rule. `stream` is null if the numbers go over all streams.
bool StreamListener::Audit(absl::string_view name, Stream* stream, const Arrival& arrival, Recorder* recorder) {
  Counters& counters = recorder->counters;
  if (rules_.is_of_connection) return AuditNumbers(arrival, &sequence_, &unnamed_, &counters);
  StreamSum& sum = SumOf(name, recorder);
  return rules_.has_snapshots ? AuditSnapshots(stream, &sum, &counters)
                              : AuditNumbers(arrival, &stream->sequence, &sum, &counters);
}

bool StreamListener::AuditNumbers(const Arrival& arrival, Sequence* sequence, StreamSum* sum, Counters* counters) {
  Numbers numbers;
  if (!NumberAt(rules_.number, &numbers.last)) return false;
  numbers.first = numbers.last;
  if (rules_.has_ranges && (!NumberAt(rules_.first, &numbers.first) || numbers.first > numbers.last)) return false;
  if (rules_.is_linked) {
    absl::string_view previous;
    const bool has_previous = Get(rules_.previous, &previous);
    // OKX: the message before a snapshot has the number -1. Deribit: a snapshot points to none.
    numbers.is_beginning = has_previous ? previous == "-1" : !sequence->audit.HasBegun();
    if (!numbers.is_beginning) {
      if (!NumberAt(rules_.previous, &numbers.first)) return false;
      ++numbers.first;
    }
  }
  const Nanos before = std::exchange(sequence->last, arrival.now);
  const bool is_behind = before <= arrival.behind_at || arrival.now - arrival.behind_at < kCatchUp;
  Count(numbers.is_beginning
            ? sequence->audit.Begin(numbers.last)
            : sequence->audit.Add(
                  numbers.first, numbers.last,
                  {.is_linked = rules_.is_linked, .is_behind = is_behind, .is_early = arrival.since_start < 0}),
        sum, counters);
  return true;
}

// Of a stream of snapshots and changes: by its number, or by the checksum of the book.
bool StreamListener::AuditSnapshots(Stream* stream, StreamSum* sum, Counters* counters) {
  const bool is_snapshot = rules_.snapshot.IsIn(&At(rules_.snapshot_level));
  if (!rules_.asks.empty()) return AuditBook(is_snapshot, stream, counters);
  std::uint64_t number = 0;
  if (!NumberAt(rules_.number, &number)) return false;
  Count(stream->snapshots.Add(number, is_snapshot), sum, counters);
  return true;
}

// What a message changes it changes, whether or not it has a checksum that can be read: else the next one would look
// wrong, and the target be blamed.
bool StreamListener::AuditBook(bool is_snapshot, Stream* stream, Counters* counters) {
  if (stream->book == nullptr) stream->book = std::make_unique<OrderBook>(rules_.depth);
  OrderBook& book = *stream->book;
  (*counters)[Finding::kSnapshot] += is_snapshot ? 1 : 0;
  if (is_snapshot) book.Begin();
  OrderBook::Levels bids;
  OrderBook::Levels asks;
  if (!At(rules_.bids.level).GetPairs(rules_.bids.pointer, &bids) ||
      !At(rules_.asks.level).GetPairs(rules_.asks.pointer, &asks) || !book.Apply(bids, asks)) {
    book.Lose();
    return false;
  }
  absl::string_view text;
  if (!Get(rules_.number, &text)) {
    if (bids.empty() && asks.empty()) return false;
    ++(*counters)[book.is_synced() ? Finding::kUnchecked : Finding::kUnsynced];
    return true;
  }
  std::uint32_t checksum = 0;
  if (!absl::SimpleAtoi(text, &checksum)) return false;
  switch (book.Verify(checksum)) {
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

// The message has brought events.
void StreamListener::Hear(const Arrival& arrival, Recorder* recorder) {
  if (events_ != 0 && arrival.now - last_.now > Patience()) awake_since_ = arrival.now;
  if (events_++ == 0) first_event_ = arrival.now;
  last_ = arrival;
  for (int i = 0; i < kLooks && streams_.size() > 1; ++i) {
    if (looked_at_ == streams_.end()) looked_at_ = streams_.begin();
    LookForSilence(&*looked_at_++, recorder);
  }
}

// A stream that is silent while its connection is not. What we did not read in time may have come, and a silence of the
// whole connection is a finding of its own.
void StreamListener::LookForSilence(Streams::value_type* entry, Recorder* recorder) {
  Stream& stream = entry->second;
  if (stream.events == 0 || stream.is_silent) return;
  const Nanos since = std::max({stream.last, awake_since_, last_.behind_at});
  if (last_.now - since <= rules_.Patience(stream.first, stream.last, stream.events)) return;
  stream.is_silent = true;  // once, until its next event
  ++recorder->counters[Finding::kStreamSilence];
  ++SumOf(entry->first, recorder).silences;
}

void StreamListener::End(Recorder* recorder) {
  for (auto& entry : streams_) {
    if (streams_.size() > 1) LookForSilence(&entry, recorder);
    Count(entry.second.sequence.audit.End(), &SumOf(entry.first, recorder), &recorder->counters);
  }
  Count(sequence_.audit.End(), &unnamed_, &recorder->counters);
}

void StreamListener::Count(const SequenceAudit::Findings& findings, StreamSum* sum, Counters* counters) const {
  // How far a link points back says nothing of how many messages there were.
  const std::uint64_t lost = rules_.is_linked ? 0 : findings.lost;
  const std::uint64_t lost_late = rules_.is_linked ? 0 : findings.lost_late;
  sum->gaps += findings.gaps;
  sum->lost += lost;
  sum->lost_late += lost_late;
  Counters& c = *counters;
  c[Finding::kGap] += findings.gaps;
  c[Finding::kLost] += lost;
  c[Finding::kLostLate] += lost_late;
  c[Finding::kGapBehind] += findings.gaps_behind;
  c[Finding::kDuplicate] += findings.duplicates;
  c[Finding::kReordered] += findings.reordered;
  c[Finding::kReset] += findings.resets;
  c[Finding::kSnapshot] += findings.snapshots;
  c[Finding::kSuspect] += findings.suspects;
  c[Finding::kUnsynced] += findings.unsynced;
}

}  // namespace tidemark
