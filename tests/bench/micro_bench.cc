// What the small parts cost: recording, merging, encoding, decoding, the schedule.
#include <benchmark/benchmark.h>

#include <random>

#include "agent/recorder.h"
#include "common/histogram_codec.h"
#include "common/schedule.h"
#include "coordinator/merger.h"
#include "tests/support/shards.h"

namespace tidemark {
namespace {

// Latencies of a service: log-normal around 300 us, a second at most.
std::vector<Nanos> Latencies(std::size_t count) {
  std::mt19937_64 rng(1);
  std::lognormal_distribution<double> shape(std::log(300e3), 0.5);
  std::vector<Nanos> latencies(count);
  for (Nanos& latency : latencies) latency = std::min<Nanos>(static_cast<Nanos>(shape(rng)), kSecond);
  return latencies;
}

Histogram SomeHistogram() {
  Histogram histogram;
  for (const Nanos latency : Latencies(100'000)) histogram.Record(latency);
  return histogram;
}

void Record(benchmark::State& state) {
  const std::vector<Nanos> latencies = Latencies(4096);
  Histogram histogram;
  std::size_t i = 0;
  for (auto _ : state) histogram.Record(latencies[i++ % latencies.size()]);
  benchmark::DoNotOptimize(histogram.count());
}
BENCHMARK(Record);

void ClockRead(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(MonotonicNow());
}
BENCHMARK(ClockRead);

void RecordAndClockRead(benchmark::State& state) {
  const std::vector<Nanos> latencies = Latencies(4096);
  Histogram histogram;
  Nanos before = MonotonicNow();
  std::size_t i = 0;
  for (auto _ : state) {
    const Nanos now = MonotonicNow();
    histogram.Record(latencies[i++ % latencies.size()] + ((now - before) & 0xff));
    before = now;
  }
  benchmark::DoNotOptimize(histogram.count());
}
BENCHMARK(RecordAndClockRead);

// All that a request is measured with: two clock reads, three records, its counters.
void RecordAllOfARequest(benchmark::State& state) {
  const std::vector<Nanos> latencies = Latencies(4096);
  Recorder recorder;
  std::size_t i = 0;
  for (auto _ : state) {
    const Nanos latency = latencies[i++ % latencies.size()];
    const Nanos sent = MonotonicNow();
    ++recorder.counters.planned;
    ++recorder.counters.sent;
    recorder.counters.bytes_sent += 79;
    recorder[Metric::kLateness].Record(sent & 0xfff);
    const Nanos done = MonotonicNow();
    recorder.counters.bytes_received += 101;
    recorder[Metric::kService].Record(done - sent + latency);
    recorder[Metric::kFirstByte].Record(done - sent + latency);
    ++recorder.counters.success;
    ++recorder.counters[Outcome::kStatus2xx];
    recorder.last_done = done;
  }
  benchmark::DoNotOptimize(recorder.counters.success);
}
BENCHMARK(RecordAllOfARequest);

void MergeHistograms(benchmark::State& state) {
  const Histogram histogram = SomeHistogram();
  Histogram sum;
  for (auto _ : state) sum.Add(histogram);
  benchmark::DoNotOptimize(sum.count());
}
BENCHMARK(MergeHistograms);

void Encode(benchmark::State& state) {
  const Histogram histogram = SomeHistogram();
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string encoded = EncodeCounts(histogram);
    bytes = encoded.size();
    benchmark::DoNotOptimize(encoded.data());
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(Encode);

void Decode(benchmark::State& state) {
  const std::string encoded = EncodeCounts(SomeHistogram());
  Histogram histogram;
  HistogramFacts facts;
  for (auto _ : state) {
    const absl::Status status = DecodeCounts(encoded, &histogram, &facts);
    if (!status.ok()) state.SkipWithError("decode failed");
  }
}
BENCHMARK(Decode);

// Whole shards of one agent, parsed, checked and added.
void ApplyShards(benchmark::State& state) {
  std::mt19937_64 rng(1);
  MadeShards made = MakeShards(rng, 0, 1, 32, 5'000);
  std::vector<std::string> wire;
  for (const proto::Shard& shard : made.shards) wire.push_back(shard.SerializeAsString());
  for (auto _ : state) {
    Merger merger(1);
    for (const std::string& bytes : wire) {
      proto::Shard shard;
      if (!shard.ParseFromString(bytes) || !merger.Apply(shard).ok()) state.SkipWithError("merge failed");
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
}
BENCHMARK(ApplyShards);

void Schedule(benchmark::State& state) {
  std::int64_t k = 0;
  for (auto _ : state) benchmark::DoNotOptimize(DueAt(k++, 20'000'000));
}
BENCHMARK(Schedule);

}  // namespace
}  // namespace tidemark

BENCHMARK_MAIN();
