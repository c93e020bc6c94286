// A connection that makes requests: takes slots as the pace of its load says, and holds the one in its hands.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "agent/exchange/lifecycle.h"
#include "agent/measure/slot_book.h"
#include "common/clock.h"
#include "common/stats/outcome.h"

namespace tidemark {

// `Base` is Lifecycle, or a protocol that lies on it. `Exchange`, which derives from this, is how requests are made: it
// has Send() (the slot in its hands; the connection is idle), HasUnderWay() (requests that were sent and are not in its
// hands any more), WakeAt(instant) (calls OnDeadline then) and NoteRoom(due) (a phase begins). They are called as its
// own, none of them virtually. Threads: one worker. Invariants: (1) has_slot_ in states kClosed to kIdle: the slot
// waits in the book, unless is_deferred_; (2) a slot leaves through exactly one of SlotBook::Complete, Fail, NeverSend
// and TakeBack.
template <class Exchange, class Base>
class Requester : public Base, public FreeConnection {
 public:
  // A new phase begins: takes slots of `quota`, the first of them due at `due`. REQUIRES: no slot is in its hands.
  void Begin(std::uint64_t quota, Nanos due) {
    quota_ = quota;
    is_settled_ = is_done_ = false;
    is_held_ = is_succeeding_ = false;  // whose connections are asked for is counted anew
    HoldIfOurs();
    is_free_ = false;
    failures_ = 0;
    if (load_->open_loop) {
      // One that still gets its connection joins when it is up.
      if (state_ == State::kIdle || state_ == State::kClosed) TakeWaiting();
      return;
    }
    if ((state_ > State::kBackoff && state_ < State::kIdle) || awaits_turn_) {
      ClaimSlot(due) ? DeferSlot() : Settle();  // TakeUp has it sent
      return;
    }
    if (state_ == State::kBackoff) LeaveBackOff();
    exchange().NoteRoom(due);
    due > loop().now && load_->pacer.MayTake(quota_, due) ? Think(due) : TakeNext(due);
  }

  // Open loop: leaves the front of those that are free, and sends the oldest slot that waits, unless the connection has
  // gone meanwhile. `is_prompt`: the slot has only just fallen due.  REQUIRES: it is the first one free, a slot waits.
  void ServeWaiting(bool is_prompt) {
    load_->first_free = next_free;
    is_free_ = false;
    if (state_ != State::kIdle && !(state_ == State::kClosed && load_->new_connection)) return;
    is_prompt_ = is_prompt;
    TakeWaiting();
  }

  // A closed loop's time is over: what was held back is not sent any more, and was not planned.
  void DropHeld() {
    if (!is_held_back_ || !is_deferred_ || state_ != State::kIdle) return;
    has_slot_ = is_deferred_ = is_kept_ = is_held_back_ = false;
    Settle();
  }

  // What it has not sent of its quota is never sent, if it could have been for `reason`.
  void GiveUpQuota(NeverSent reason) {
    load_->book.PlanUnsent(std::exchange(quota_, 0), this->WhyUnsent(reason), loop().now);
  }

  void Settle() {
    if (!exchange().HasUnderWay()) Base::Settle();
  }

 protected:
  using Base::awaits_turn_, Base::failures_, Base::is_held_, Base::is_held_back_, Base::is_proven_, Base::is_settled_,
      Base::is_succeeding_, Base::load_, Base::path_, Base::refusal_, Base::sent_, Base::state_, Base::transport_,
      Base::address_;
  using Base::BackOff, Base::HoldClosed, Base::HoldIfOurs, Base::IsOutOfPatience, Base::LeaveBackOff, Base::loop,
      Base::MaySend, Base::Prove, Base::recorder;
  using Base::Base;
  using typename Base::State;

  ~Requester() = default;

  // Takes the next slot, due at `due`, and sends it; without one, stays ready.
  void TakeNext(Nanos due) {
    if (load_->open_loop) return TakeWaiting();
    if (ClaimSlot(due)) {
      if (state_ != State::kIdle) {
        DeferSlot();
        return this->Open();
      }
      return SendSoon();
    }
    if (state_ == State::kClosed && loop().is_preparing && !load_->pacer.IsStopped()) {
      is_done_ = true;
      return this->Open();
    }
    Settle();
  }

  // With what else is due in this turn of the loop, or outside of one at once.
  void SendSoon() { loop().is_in_turn ? loop().to_send.push_back(this) : exchange().Send(); }

  // A request is over: takes the next slot, at once or after the think time.
  void Rest(Nanos done) {
    if (load_->think_time == 0) [[likely]]
      return TakeNext(done);
    const Nanos due = done + load_->think_time;
    return load_->pacer.MayTake(quota_, due) ? Think(due) : TakeNext(due);
  }

  // It is up. True if a slot has waited for that, and is to go out.
  bool TakeUp() {
    if (has_slot_) {
      PlanDeferred();
      return true;
    }
    is_done_ ? Settle() : TakeNext(loop().now);
    return false;
  }

  // The think time is over, if it was one.
  bool EndThinking() {
    if (!std::exchange(is_thinking_, false)) return false;
    TakeNext(due_);
    return true;
  }

  // Whether the request of the slot in its hands may go out. Where it has to wait it is not planned, see DeferSlot; one
  // that was planned for a connection that is gone stays so.
  bool MaySendRequest() {
    if (MaySend()) {
      PlanDeferred();
      is_kept_ = false;
      return true;
    }
    if (!is_deferred_ && !is_kept_) DeferSlot();
    return false;
  }

  SlotBook::Entry SlotInHand() const { return {.slot = slot_, .due = due_, .sent = sent_, .address = address_}; }

  // The first byte of the slot's request is with the kernel, since sent_.
  void MarkSent() {
    load_->book.MarkSent(SlotInHand(), is_prompt_);
    is_prompt_ = false;
  }

  // Whether an answer that was read at `done`, after its time-out, had come after it. The kernel's stamp tells, where
  // there is one; else an answer that may have lain unread while this thread stood still is not the target's fault.
  bool IsLate(const SlotBook::Entry& entry, Nanos done) const {
    const Attention& attention = loop().attention;
    const Nanos limit = entry.sent + load_->timeout;
    // What had not begun to come by then is given up by the next tick, and what had gets the rest of its time.
    const Nanos until = std::max(attention.Extended(limit), attention.stood_still_to() + 10 * TimeoutWheel::kTick);
    bool is_ours = limit >= attention.turn() || (attention.StoodStillAt(limit) && done <= until);
    if (path_.AreOf(entry.slot) && path_.from_wire() != 0) is_ours = path_.from_wire() - path_.sent() <= load_->timeout;
    if (is_ours) ++recorder().counters.late_by_us;
    return !is_ours;
  }

  // A slot has ended at `now` without a response.
  void Fail(const SlotBook::Entry& entry, Outcome outcome, Nanos now) {
    load_->book.Fail(entry, outcome, now);
    load_->book.Trace(entry, outcome, now, transport_.LocalPort());
  }

  // The slot in its hands has ended, and the book knows how.
  void LeaveSlot() {
    has_slot_ = false;
    sent_bytes_ = 0;
    TimeoutWheel::Clear(this);
    Prove();
  }

  void NeverSend(NeverSent reason) {
    PlanDeferred();
    load_->book.NeverSend(reason, loop().now);
    has_slot_ = is_kept_ = false;
  }

  // Nothing of the slot's request has gone out on a connection that is up, and is over with `error`.
  void NeverSendFor(int error) {
    const bool is_alert = transport_.Alert().has_value();
    this->Close();
    NeverSend(error == ETIMEDOUT   ? NeverSent::kCap  // the connection is up, and has no room for as long
              : error == ECANCELED ? NeverSent::kStopped
              : is_alert           ? NeverSent::kTls
                                   : NeverSent::kConnectOther);
    TakeNext(loop().ReadClock());
  }

  // A slot that waits is counted as never sent, for `*reason` or what else has kept it. False if it was sent.
  bool StopSlot(NeverSent* reason) {
    const bool is_opening = state_ > State::kBackoff && state_ < State::kIdle;
    const bool is_young = refusal_ == NeverSent::kCount && loop().now - sent_ < kYoungAttempt;
    // Nothing is known against this attempt yet.
    if (is_deferred_ && (awaits_turn_ || is_held_back_ || (is_opening && is_young)))
      has_slot_ = is_deferred_ = is_kept_ = false;
    if (has_slot_ && sent_bytes_ == 0) load_->book.LeaveUnanswered(slot_, due_, loop().now);
    *reason = this->WhyUnsent(*reason);
    is_thinking_ = false;
    if (state_ >= State::kSending) return false;
    if (is_opening) this->Close();
    if (state_ == State::kBackoff) LeaveBackOff();
    is_held_back_ = false;
    if (has_slot_) NeverSend(*reason);
    Settle();
    return true;
  }

  void OnTurn() override { has_slot_ || is_done_ ? this->Open() : TakeNext(loop().now); }
  void OnKept(Nanos turn) override {
    if (turn != 0 && has_slot_ && !load_->open_loop) due_ = turn;  // it is not asked for before
  }
  // A slot that waited for it is never sent; after a pause comes the next one.
  void OnLost(NeverSent reason, int, bool was_up) override {
    const bool is_last = IsOutOfPatience();
    // A slot whose idle connection died may still go out on the next one.
    const bool is_kept = was_up && !is_last && !load_->pacer.IsStopped();
    if (has_slot_ && !is_kept) NeverSend(reason);
    is_kept_ = has_slot_;
    if (load_->pacer.IsStopped()) return Settle();
    if (is_last) return GiveUp(reason);
    was_up ? ComeBack() : PauseBeforeNext();
  }

  // It was lost, and is closed, while it was idle and had no slot.
  void OnIdleLost() {
    if (is_thinking_) {  // it opens again when its next slot is due
      HoldClosed();
      return loop().wheel->Schedule(this, due_);
    }
    // Before the start, and in an open loop, the connection is wanted; in a closed one it was done anyway.
    if ((loop().is_preparing || load_->open_loop) && !load_->pacer.IsStopped()) return ComeBack();
    if (is_settled_) HoldClosed();
  }

  Nanos due_ = 0;           // of its slot
  Nanos first_byte_ = 0;    // of the response; 0: none yet
  std::uint64_t slot_ = 0;  // the number of the slot in its hands
  std::uint64_t quota_ = 0;
  std::size_t sent_bytes_ = 0;  // of the current request
  bool has_slot_ = false;
  bool is_kept_ = false;      // its slot has outlived a connection, and was planned before
  bool is_thinking_ = false;  // idle or closed until due_, when it takes its next slot

 private:
  Exchange& exchange() { return static_cast<Exchange&>(*this); }

  bool ClaimSlot(Nanos due) {
    if (!load_->pacer.Take(&quota_, due)) return false;
    load_->book.Plan();
    has_slot_ = true;
    slot_ = load_->book.TakeNumber();
    due_ = due;
    return true;
  }

  // A closed loop plans nothing beyond its time: a slot that has no connection yet may be overtaken by its end, and
  // shards that were sent with it cannot be taken back.
  void DeferSlot() {
    if (!load_->pacer.IsTimed()) return;
    load_->book.TakeBack();
    is_deferred_ = true;
  }

  void PlanDeferred() {
    if (std::exchange(is_deferred_, false)) load_->book.Plan();
  }

  // Open loop: takes the oldest slot that waits; without one, is free for the next that falls due.
  void TakeWaiting() {
    Load& load = *load_;
    if (load.pacer.IsStopped()) return;
    if (state_ == State::kClosed && !load.new_connection) return this->Open();  // so that it is there when it is wanted
    if (load.open_loop->HasWaiting()) {
      has_slot_ = true;
      slot_ = load.book.TakeNumber();
      due_ = load.open_loop->Take();
      return state_ == State::kIdle ? SendSoon() : this->Open();
    }
    if (is_free_) return;
    is_free_ = true;
    next_free = nullptr;
    (load.first_free == nullptr ? load.first_free : load.last_free->next_free) = this;
    load.last_free = this;
  }

  // Nothing is planned before `until`. The wheel wakes the connection up, late by a tick or two, which lateness shows.
  void Think(Nanos until) {
    is_thinking_ = true;
    due_ = until;
    if (state_ == State::kClosed) HoldClosed();
    exchange().WakeAt(until);
  }

  // At once if its peer has served it since it was opened, else after a pause.
  void ComeBack() { is_proven_ ? this->Open() : PauseBeforeNext(); }
  void PauseBeforeNext() {
    if (has_slot_) ++recorder().counters.waited_for_back_off;
    BackOff();
  }

  void GiveUp(NeverSent reason) {
    load_->last_refusal = reason;
    if (!loop().is_preparing) ++recorder().counters.given_up;
    load_->book.PlanUnsent(std::exchange(quota_, 0), reason, loop().now);
    Settle();
  }

  bool is_deferred_ = false;  // its slot is planned when there is a connection for it, or none can be had
  bool is_done_ = false;      // it takes no more slots in this phase, and only opens for the next
  bool is_free_ = false;      // in the list of those that are free
  bool is_prompt_ = false;    // its slot found it free when it fell due
};

}  // namespace tidemark
