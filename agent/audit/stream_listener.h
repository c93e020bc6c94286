// What the messages of streams say: how stale they are, whether they follow each other, who hears of an event when.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/audit/order_book.h"
#include "agent/audit/sequence_audit.h"
#include "agent/measure/recorder.h"
#include "agent/wire/json_pointers.h"
#include "common/clock.h"
#include "common/plan/place.h"
#include "protos/plan.pb.h"

namespace tidemark {

// A value at a JSON pointer.
struct Match {
  std::string pointer = {};
  std::string value = {};

  // Of "POINTER=VALUE".
  static Match Of(absl::string_view text);
  // Of the message that `json` has read.
  bool IsIn(JsonPointers* json) const;
};

// What is looked for in the messages; places that are empty are not.
struct StreamRules {
  std::vector<std::string> arrays = {};  // where the events are, level by level; none: a message is an event
  Place stream;
  Place time;
  Nanos time_unit = kMillisecond;
  Place number;    // of the message, or the event
  Place first;     // number with which it begins
  Place previous;  // number of the one before it
  bool has_ranges = false;
  bool is_linked = false;
  bool is_of_connection = false;  // the numbers go over all streams of a connection
  bool has_snapshots = false;
  std::size_t snapshot_level = 0;
  Match snapshot;  // a message with it begins the numbers, or the book, anew
  Place bids;      // of books that have a checksum, which is their number
  Place asks;
  std::size_t depth = 0;
  Place event;  // fan-out
  struct Ignored {
    std::size_t level = 0;
    Match match = {};
  };
  std::vector<Ignored> ignore;      // messages, or events, with one of these are no events
  Nanos silence = 0;                // a connection, or a stream of it, without an event for that long; 0: none is
  std::int64_t silence_factor = 0;  // ... or for so many times its mean interval; 0: that is not looked at

  // REQUIRES: the plan that `listen` is of is valid.
  static StreamRules Of(const proto::Listen& listen);
  bool MustRead() const {
    return !arrays.empty() || !stream.empty() || !time.empty() || !number.empty() || !event.empty() || !ignore.empty();
  }
  // How long what has had so many events, the first and the last of them at these instants, may be silent.
  Nanos Patience(Nanos first_event, Nanos last_event, std::int64_t events) const;
};

// The streams of one connection. Owner: the connection, for its life.  Threads: one worker.
class StreamListener {
 public:
  // Both outlive it; `json` is that of the worker.
  StreamListener(const StreamRules* rules, JsonPointers* json) : rules_(*rules), json_(*json) {}

  // How a message came.
  struct Arrival {
    Nanos now = 0;
    Nanos since_start = -1;  // T0 to now; negative: before the start
    Nanos clock_offset = 0;  // what the target's clock shows more than our wall clock
    Nanos behind_at = 0;     // when our own reader last was behind
  };
  // Records what the message of so many `bytes` says. False if it brings no event.
  bool Take(absl::string_view message, std::uint64_t bytes, const Arrival& arrival, Recorder* recorder);
  // A message that is none of the streams', as an ack: if it carries a number, that is one of the sequence all the
  // same.
  void PassOver(absl::string_view message, const Arrival& arrival, Recorder* recorder);
  // An event, as it was recorded.
  struct Noted {
    Nanos staleness = 0;
    Nanos at = 0;  // when it happened, on our wall clock; 0: events have no times
  };
  // From now on each event is added to *noted, which outlives that; null: none is. Those whose time cannot be read are
  // left out.
  void NoteInto(std::vector<Noted>* noted) { noted_ = noted; }
  // No further message comes on this connection.
  void End(Recorder* recorder);

  // How long the connection may be silent after its last event.
  Nanos Patience() const { return rules_.Patience(first_event_, last_.now, events_); }

 private:
  // Numbers that should follow each other.
  struct Sequence {
    SequenceAudit audit;
    Nanos last = 0;  // when the last of them came
  };
  struct Stream {
    Sequence sequence;
    SnapshotAudit snapshots;
    std::unique_ptr<OrderBook> book;
    Nanos first = 0;  // when the first event came ...
    Nanos last = 0;   // ... and the last one
    std::int64_t events = 0;
    std::uint64_t message = 0;  // that brought the last event
    bool is_silent = false;
  };
  using Streams = std::map<std::string, Stream, std::less<>>;

  // Reads the items below level `level` - 1, which has been read. `is_passed`: only their numbers count.
  void TakeItems(std::size_t level, bool is_passed, const Arrival& arrival, Recorder* recorder);
  void TakeEvent(std::uint64_t bytes, const Arrival& arrival, Recorder* recorder);
  void PassNumbers(std::size_t level, const Arrival& arrival, Recorder* recorder);
  bool IsIgnored(std::size_t level);
  // Each is false if the message, or the event, lacks what the rules ask for.
  bool FindStream(absl::string_view* name, Stream** stream);
  bool RecordStaleness(const Arrival& arrival, Recorder* recorder);
  bool RecordReceipt(absl::string_view stream, const Arrival& arrival, Recorder* recorder);
  bool Audit(absl::string_view name, Stream* stream, const Arrival& arrival, Recorder* recorder);
  bool AuditNumbers(const Arrival& arrival, Sequence* sequence, StreamSum* sum, Counters* counters);
  bool AuditSnapshots(Stream* stream, StreamSum* sum, Counters* counters);
  bool AuditBook(bool is_snapshot, Stream* stream, Counters* counters);

  void Hear(const Arrival& arrival, Recorder* recorder);
  void LookForSilence(Streams::value_type* entry, Recorder* recorder);
  void Count(const SequenceAudit::Findings& findings, StreamSum* sum, Counters* counters) const;
  // Of the current interval; streams without names have none of their own.
  StreamSum& SumOf(absl::string_view stream, Recorder* recorder) {
    return rules_.stream.empty() ? unnamed_ : recorder->named.Stream(stream);
  }
  JsonPointers& At(std::size_t level) { return level == 0 ? json_ : json_.Inner(level); }
  bool Get(const Place& place, absl::string_view* value) { return At(place.level).Get(place.pointer, value); }
  bool NumberAt(const Place& place, std::uint64_t* number);

  const StreamRules& rules_;
  JsonPointers& json_;
  Streams streams_;
  Streams::iterator looked_at_ = streams_.end();  // by LookForSilence, last
  Sequence sequence_;                             // over all streams
  StreamSum unnamed_;
  std::uint64_t messages_ = 0;
  bool has_event_ = false;  // the message that is being read
  std::vector<Noted>* noted_ = nullptr;
  Nanos first_event_ = 0;
  Arrival last_ = {};  // of the last event
  std::int64_t events_ = 0;
  Nanos awake_since_ = 0;  // when the connection as a whole last ended a silence
};

}  // namespace tidemark
