// What the messages of streams say: how stale they are, whether they follow each other, who hears of an event when.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/json_pointers.h"
#include "agent/order_book.h"
#include "agent/recorder.h"
#include "agent/sequence_audit.h"
#include "common/clock.h"
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

// What is looked for in the messages; pointers that are empty are not.
struct StreamRules {
  std::string stream;
  std::string time;
  Nanos time_unit = kMillisecond;
  std::string number;    // of the message
  std::string first;     // number with which it begins
  std::string previous;  // number of the one before it
  bool has_ranges = false;
  bool is_linked = false;
  bool has_snapshots = false;
  Match snapshot;    // a message with it begins the numbers, or the book, anew
  std::string bids;  // of books that have a checksum, which is their number
  std::string asks;
  std::size_t depth = 0;
  std::string event;          // fan-out
  std::vector<Match> ignore;  // messages with one of these are no events

  // REQUIRES: the plan that `listen` is of is valid.
  static StreamRules Of(const proto::Listen& listen);
  bool MustRead() const {
    return !stream.empty() || !time.empty() || !number.empty() || !event.empty() || !ignore.empty();
  }
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
  // Records what the message of so many `bytes` says. False if it is no event.
  bool Take(absl::string_view message, std::uint64_t bytes, const Arrival& arrival, Recorder* recorder);
  // No further message comes on this connection.
  void End(Recorder* recorder);

 private:
  struct Stream {
    SequenceAudit audit;
    SnapshotAudit snapshots;
    std::unique_ptr<OrderBook> book;
    Nanos last = 0;  // when the last message came
  };

  // Each is false if the message lacks what the rules ask for.
  bool FindStream(absl::string_view* name, Stream** stream);
  bool RecordStaleness(const Arrival& arrival, Recorder* recorder);
  bool RecordReceipt(absl::string_view stream, const Arrival& arrival, Recorder* recorder);
  bool AuditNumbers(const Arrival& arrival, Nanos before, Stream* stream, StreamSum* sum, Counters* counters);
  bool AuditSnapshots(Stream* stream, StreamSum* sum, Counters* counters);
  bool AuditBook(std::uint64_t checksum, bool is_snapshot, Stream* stream, Counters* counters);

  void Count(const SequenceAudit::Findings& findings, StreamSum* sum, Counters* counters) const;
  // Of the current interval; streams without names have none of their own.
  StreamSum& SumOf(absl::string_view stream, Recorder* recorder) {
    return rules_.stream.empty() ? unnamed_ : recorder->named.Stream(stream);
  }

  const StreamRules& rules_;
  JsonPointers& json_;
  std::map<std::string, Stream, std::less<>> streams_;
  StreamSum unnamed_;
};

}  // namespace tidemark
