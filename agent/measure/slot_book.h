// The book of a worker's slots: the one place where a slot changes state, and where a request becomes numbers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "agent/compose/request_source.h"
#include "agent/measure/recorder.h"
#include "agent/measure/traces.h"
#include "common/clock.h"
#include "common/stats/outcome.h"

namespace tidemark {

// A slot is planned; it is then sent, or never sent; one that was sent has one outcome.
// Owner: a worker, through what its connections share.  Threads: one worker.
// Invariant: planned = sent + never sent + waiting(), sent = outcomes + in_flight(), of the recorders so far together.
class SlotBook {
 public:
  // A slot by its number; instants of this host.
  struct Entry {
    std::uint64_t slot = 0;
    Nanos due = 0;
    Nanos sent = 0;
    std::uint32_t address = 0;  // of the target, as of AddressTally
  };

  // The recorder of the current interval, which outlives its use here.
  void RecordInto(Recorder* recorder) { recorder_ = recorder; }

  // A phase begins: its slots are numbered `first`, `first + stride`, ... `is_open_loop`: responses count from the due
  // time. `mix`, which outlives its use here, is null unless its requests are counted and timed apart: then
  // recorders have a place for each of them.
  void Number(std::uint64_t first, std::uint64_t stride) {
    next_ = first;
    stride_ = stride;
  }
  void CountFromDue(bool is_open_loop) { is_open_loop_ = is_open_loop; }
  void TellApart(const RequestMix* mix) { mix_ = mix; }

  // Requests time out after so long.
  void TimeOut(Nanos timeout) { notable_ = timeout_ = timeout; }
  // Of a point from `start` on the slowest requests are told, and of a sample one in so many, see Traces; until
  // EndTraces.
  void BeginTraces(Nanos start, std::uint64_t sample) {
    traces_.Begin(start, is_open_loop_, sample);
    notable_ = std::min(timeout_, traces_.floor());
  }
  void EndTraces() {
    traces_.End();
    notable_ = timeout_;
  }
  // A request that took less than that from its due time is neither late nor to be told.
  Nanos notable() const { return notable_; }
  // Tells of a request that has ended, if it is one of those; `port`: the local one of its connection.
  void Trace(const Entry& entry, Outcome outcome, Nanos done, std::uint16_t port) {
    traces_.Add({.slot = entry.slot,
                 .due = entry.due,
                 .sent = entry.sent,
                 .done = done,
                 .outcome = outcome,
                 .request = mix_ == nullptr ? 0 : static_cast<std::uint32_t>(mix_->IndexOf(entry.slot, stride_)),
                 .port = port},
                recorder_);
    notable_ = std::min(timeout_, traces_.floor());
  }

  // The number of the slot that is being taken. In an open loop slots are taken in the order in which they fall due.
  std::uint64_t TakeNumber() {
    const std::uint64_t number = next_;
    next_ += stride_;
    return number;
  }
  std::uint64_t stride() const { return stride_; }

  // A slot is planned, and waits to be sent.
  void Plan() {
    ++counters().planned;
    ++waiting_;
  }
  // An open loop's slot falls due, `since_start` after T0: planned, and part of the schedule's hash.
  void FallDue(Nanos since_start) {
    counters().schedule_hash += Mix64(static_cast<std::uint64_t>(since_start));
    Plan();
  }
  // The slot that has just been planned is none yet: nobody knows whether the time of its closed loop is enough for it.
  void TakeBack() {
    --counters().planned;
    --waiting_;
  }
  // `count` slots that nobody takes any more, from `now` on.
  void PlanUnsent(std::uint64_t count, NeverSent reason, Nanos now) {
    if (count == 0) return;
    counters().planned += count;
    counters()[reason] += count;
    recorder_->last_end = now;
  }

  // The first byte of a slot's request is with the kernel, since entry.sent. `is_prompt`: it found a free connection
  // when it fell due.
  [[gnu::always_inline]] void MarkSent(const Entry& entry, bool is_prompt) {
    Recorder& recorder = *recorder_;
    --waiting_;
    IntegrateInto(&recorder, entry.sent);
    ++in_flight_;
    ++recorder.counters.sent;
    if (mix_ != nullptr) [[unlikely]]
      ++SeriesOf(entry.slot).counts.sent;
    const Nanos lateness = entry.sent - entry.due;
    if (is_prompt) [[unlikely]]
      recorder[Metric::kPacing].Record(lateness);
    recorder[Metric::kLateness].Record(lateness);
  }

  // A slot that waited is given up at `now`, and never sent.
  void NeverSend(NeverSent reason, Nanos now) {
    --waiting_;
    ++counters()[reason];
    recorder_->last_end = now;
  }
  // ... of an open loop, given up at `now`: its response took that long at least.
  void GiveUp(Nanos due, Nanos now, NeverSent reason) {
    LeaveUnanswered(TakeNumber(), due, now);
    NeverSend(reason, now);
  }
  void LeaveUnanswered(std::uint64_t slot, Nanos due, Nanos now) {
    if (!is_open_loop_) return;
    (*recorder_)[Metric::kUnanswered].Record(now - due);
    if (mix_ != nullptr) SeriesOf(slot)[Metric::kUnanswered].Record(now - due);
  }

  // So many bytes of a slot's response came.
  [[gnu::always_inline]] void Receive(std::uint64_t slot, std::size_t bytes) {
    recorder_->counters.bytes_received += bytes;
    if (mix_ != nullptr) [[unlikely]]
      SeriesOf(slot).counts.bytes += bytes;
  }

  // A complete response with that status, otherwise as Complete.
  [[gnu::always_inline]] void CompleteStatus(const Entry& entry, Nanos first_byte, Nanos done, std::size_t status,
                                             bool is_success) {
    recorder_->statuses.Count(status);
    Complete(entry, first_byte, done, OutcomeOfStatus(static_cast<int>(status)), is_success,
             [] { return std::uint64_t{0}; });
  }

  // A complete response, or a reply: its first byte was read at `first_byte`, its last at `done`. `reply_bytes` says
  // how many of a reply are its payload, and are not counted otherwise; it is called in a mix alone.
  template <typename ReplyBytes>
  [[gnu::always_inline]] void Complete(const Entry& entry, Nanos first_byte, Nanos done, Outcome outcome,
                                       bool is_success, ReplyBytes reply_bytes) {
    Recorder& recorder = *recorder_;
    recorder[is_success ? Metric::kService : Metric::kOther].Record(done - entry.sent);
    recorder[Metric::kFirstByte].Record(first_byte - entry.sent);
    if (is_success) [[likely]] {
      if (is_open_loop_) recorder[Metric::kResponse].Record(done - entry.due);
      ++recorder.counters.success;
      ++recorder.addresses.succeeded[entry.address];
    } else {
      ++recorder.addresses.failed[entry.address];
    }
    if (mix_ != nullptr) [[unlikely]]
      CompleteOfMix(entry, first_byte, done, outcome, is_success, reply_bytes());
    End(&recorder, outcome, done);
  }

  // A request that has no response: one that timed out or was cut off took that long at least; of others nothing is
  // known.
  [[gnu::noinline]] void Fail(const Entry& entry, Outcome outcome, Nanos now) {
    if (outcome == Outcome::kRequestTimeout || outcome == Outcome::kCutOff) {
      (*recorder_)[Metric::kCensored].Record(now - entry.sent);
      if (mix_ != nullptr) SeriesOf(entry.slot)[Metric::kCensored].Record(now - entry.sent);
      LeaveUnanswered(entry.slot, entry.due, now);
    } else {
      counters().failed_ns += static_cast<std::uint64_t>(now - entry.sent);
    }
    ++recorder_->addresses.failed[entry.address];
    if (mix_ != nullptr) ++SeriesOf(entry.slot).counts.outcomes[static_cast<std::size_t>(outcome)];
    End(recorder_, outcome, now);
  }

  // Brings the integral of Little's law up to `instant`.
  void Integrate(Nanos instant) {
    if (instant > flight_changed_) IntegrateInto(recorder_, instant);
  }

  // We keep a slot in flight from going on, from `now` on, and until: that time is none of the request's.
  void Pause(Nanos now) {
    IntegrateInto(recorder_, now);
    --in_flight_;
    ++paused_;
  }
  void Resume(Nanos now) {
    IntegrateInto(recorder_, now);
    --paused_;
    ++in_flight_;
  }

  std::uint64_t waiting() const { return waiting_; }
  std::uint64_t in_flight() const { return in_flight_ + paused_; }
  // The point is over; nothing of it is asked for any more.
  void Forget() { waiting_ = in_flight_ = paused_ = 0; }

 private:
  Counters& counters() { return recorder_->counters; }
  // REQUIRES: there is a mix.
  RequestSum& SeriesOf(std::uint64_t slot) { return recorder_->requests[mix_->IndexOf(slot, stride_)]; }
  [[gnu::noinline]] void CompleteOfMix(const Entry& entry, Nanos first_byte, Nanos done, Outcome outcome,
                                       bool is_success, std::uint64_t reply_bytes) {
    RequestSum& series = SeriesOf(entry.slot);
    ++series.counts.outcomes[static_cast<std::size_t>(outcome)];
    series.counts.bytes += reply_bytes;
    series[Metric::kFirstByte].Record(first_byte - entry.sent);
    if (!is_success) return;
    ++series.counts.success;
    series[Metric::kService].Record(done - entry.sent);
    if (is_open_loop_) series[Metric::kResponse].Record(done - entry.due);
  }
  [[gnu::always_inline]] void IntegrateInto(Recorder* recorder, Nanos instant) {
    recorder->counters.busy_ns += in_flight_ * static_cast<std::uint64_t>(instant - flight_changed_);
    flight_changed_ = instant;
  }
  [[gnu::always_inline]] void End(Recorder* recorder, Outcome outcome, Nanos instant) {
    IntegrateInto(recorder, instant);
    --in_flight_;
    ++recorder->counters[outcome];
    recorder->last_end = instant;
  }

  Recorder* recorder_ = nullptr;
  std::uint64_t next_ = 0;
  std::uint64_t stride_ = 1;
  std::uint64_t waiting_ = 0;
  std::uint64_t in_flight_ = 0;  // but for those that are paused
  std::uint64_t paused_ = 0;
  Nanos flight_changed_ = 0;  // the last change of in_flight_
  bool is_open_loop_ = false;
  const RequestMix* mix_ = nullptr;
  Nanos timeout_ = 0;
  Nanos notable_ = 0;
  Traces traces_;
};

}  // namespace tidemark
