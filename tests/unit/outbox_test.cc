#include "common/control/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "protos/agent.pb.h"
#include "tests/support/random.h"

namespace tidemark {
namespace {

TEST(OutboxTest, WhatWasHeardIsForgotten) {
  Outbox<proto::Event> outbox;
  for (int i = 0; i < 5; ++i) {
    proto::Event event;
    outbox.Add(&event);
    EXPECT_EQ(event.number(), static_cast<std::uint64_t>(i) + 1);
  }
  outbox.Heard(3);
  ASSERT_EQ(outbox.unheard().size(), 2u);
  EXPECT_EQ(outbox.unheard().front().number(), 4u);
  outbox.Heard(1);  // old news
  EXPECT_EQ(outbox.unheard().size(), 2u);
  outbox.Heard(99);
  EXPECT_TRUE(outbox.unheard().empty());
}

// Streams that break at any place: each message arrives once and in order.
TEST(OutboxTest, EachMessageArrivesOnceOverAnyNumberOfStreams) {
  TIDEMARK_SEEDED(rng);
  Outbox<proto::Event> outbox;
  Inbox inbox;
  std::vector<std::uint64_t> arrived;
  std::deque<std::uint64_t> stream;
  for (int step = 0; step < 20'000; ++step) {
    switch (rng() % 4) {
      case 0: {
        proto::Event event;
        outbox.Add(&event);
        stream.push_back(event.number());
        break;
      }
      case 1:
      case 2:
        if (stream.empty()) break;
        ASSERT_NE(inbox.Offer(stream.front()), Inbox::Verdict::kGap);
        if (arrived.size() < inbox.last()) arrived.push_back(stream.front());
        stream.pop_front();
        if (rng() % 3 == 0) outbox.Heard(inbox.last());
        break;
      case 3:
        if (rng() % 20 != 0) break;
        stream.clear();  // it breaks, with all that was under way
        for (const proto::Event& event : outbox.unheard()) stream.push_back(event.number());
        break;
    }
  }
  for (std::size_t i = 0; i < arrived.size(); ++i) ASSERT_EQ(arrived[i], i + 1);
  EXPECT_GT(arrived.size(), 1'000u);
  EXPECT_GT(inbox.repeated(), 0u);
}

TEST(OutboxTest, AGapIsTold) {
  Inbox inbox;
  EXPECT_EQ(inbox.Offer(0), Inbox::Verdict::kTake);
  EXPECT_EQ(inbox.Offer(2), Inbox::Verdict::kGap);
  EXPECT_EQ(inbox.Offer(1), Inbox::Verdict::kTake);
  EXPECT_EQ(inbox.Offer(1), Inbox::Verdict::kRepeated);
}

}  // namespace
}  // namespace tidemark
