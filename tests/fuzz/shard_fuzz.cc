// Shards from a hostile agent: whatever they hold, the merged result stays a valid one.
#include <algorithm>
#include <cstdint>

#include "common/check.h"
#include "coordinator/merge/ledger.h"
#include "coordinator/merge/merger.h"

// The input is a sequence of shards: a 16-bit length before each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tidemark;
  Ledger ledger("run", 0, 0, {1, 1});
  Merger merger(2, {.requests = 3});
  while (size >= 2) {
    const std::size_t length = std::min<std::size_t>(bytes[0] + 256u * bytes[1], size - 2);
    proto::Shard shard;
    if (shard.ParseFromArray(bytes + 2, static_cast<int>(length))) {
      for (const proto::Shard& ready : ledger.Offer(std::move(shard))) (void)merger.Apply(ready);
    }
    bytes += 2 + length;
    size -= 2 + length;
  }
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    HistogramFacts sum;
    for (const AgentSum& agent : merger.agents()) sum.Add(agent.facts[i]);
    CHECK(merger.histogram(static_cast<Metric>(i)).Facts() == sum);
  }
  std::uint64_t sent = 0;
  for (const RequestSum& request : merger.requests()) sent += request.counts.sent;
  CHECK(sent == merger.counters().sent);
  return 0;
}
