#include "agent/exchange/pipeline.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace tidemark {
namespace {

// Against a plain queue, with requests that leave from anywhere.
TEST(PipelineTest, KeepsTheOrderHoweverRequestsLeave) {
  std::mt19937_64 random(7);
  Pipeline pipeline;
  std::deque<std::uint64_t> model;
  std::uint64_t next = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (model.size() < 1 + random() % 60) {
      pipeline.Push({.slot = next, .due = 0, .sent = static_cast<Nanos>(next)});
      model.push_back(next++);
    } else {
      const std::size_t which = random() % 3 == 0 ? random() % model.size() : 0;
      Pipeline::Request* const request =
          pipeline.Find([&](const Pipeline::Request& r) { return r.slot == model[which]; });
      ASSERT_NE(request, nullptr);
      pipeline.Remove(request);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(which));
    }
    ASSERT_EQ(pipeline.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(pipeline.Oldest().slot, model.front());
    }
    ASSERT_EQ(pipeline.Find([&](const Pipeline::Request& r) { return r.slot == next; }), nullptr);
  }
}

}  // namespace
}  // namespace tidemark
