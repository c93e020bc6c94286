// What was said over a stream and not yet heard at its other end, so that a new stream can say it again.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

namespace tidemark {

// One end of a conversation whose messages (with fields `number` and `heard`) must arrive once each and in order, over
// one stream after another. Messages are numbered 1, 2, 3, ...; number 0 is for those that need not arrive.
// Threads: one at a time.
template <typename Message>
class Outbox {
 public:
  // More than that unheard: the other end does not do its part.
  static constexpr std::size_t kMaxUnheard = 4'096;

  // Numbers `message` and keeps a copy.
  void Add(Message* message) {
    message->set_number(++last_);
    unheard_.push_back(*message);
  }
  // The other end has all up to `number`.
  void Heard(std::uint64_t number) {
    while (!unheard_.empty() && unheard_.front().number() <= number) unheard_.pop_front();
  }
  // What to say again on a new stream, oldest first.
  const std::deque<Message>& unheard() const { return unheard_; }
  bool IsOverfull() const { return unheard_.size() > kMaxUnheard; }

 private:
  std::uint64_t last_ = 0;
  std::deque<Message> unheard_;
};

// The other end: lets each message through once.
class Inbox {
 public:
  enum class Verdict { kTake, kRepeated, kGap };

  // kGap: a message before it never came, which no honest peer lets happen.
  Verdict Offer(std::uint64_t number) {
    if (number == 0) return Verdict::kTake;
    if (number <= last_) {
      ++repeated_;
      return Verdict::kRepeated;
    }
    if (number != last_ + 1) return Verdict::kGap;
    ++last_;
    return Verdict::kTake;
  }
  // To be told to the other end as `heard`.
  std::uint64_t last() const { return last_; }
  std::uint64_t repeated() const { return repeated_; }

 private:
  std::uint64_t last_ = 0;
  std::uint64_t repeated_ = 0;
};

}  // namespace tidemark
