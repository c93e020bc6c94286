// What the small parts cost: recording, merging, encoding, decoding, the schedule.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "agent/audit/stream_listener.h"
#include "agent/control/shard_sender.h"
#include "agent/measure/recorder.h"
#include "common/plan/schedule.h"
#include "common/stats/histogram_codec.h"
#include "coordinator/merge/ledger.h"
#include "coordinator/merge/merger.h"

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
    recorder.statuses.Count(200);
    recorder.last_end = done;
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

// The shards of one agent as it sends them, each with four histograms of 1,000 values; parsed, let through by the
// ledger, checked and merged. Items are histograms.
std::vector<std::string> ShardsOnTheWire(std::uint32_t seconds) {
  proto::ShardKey key;
  key.set_run("run");
  key.set_incarnation(1);
  ShardSender sender(key, 1);
  const std::vector<Nanos> latencies = Latencies(1'000);
  std::vector<std::string> wire;
  for (std::uint32_t second = 0; second < seconds; ++second) {
    WorkerReport report{.kind = WorkerReport::Kind::kWindow, .window = second, .is_final = second + 1 == seconds};
    report.recorder = std::make_unique<Recorder>();
    Recorder& recorder = *report.recorder;
    for (const Nanos latency : latencies) {
      ++recorder.counters.planned;
      ++recorder.counters.sent;
      ++recorder.counters.success;
      ++recorder.counters[Outcome::kStatus2xx];
      recorder.statuses.Count(200);
      recorder.counters.busy_ns += static_cast<std::uint64_t>(latency);
      recorder[Metric::kService].Record(latency);
      recorder[Metric::kFirstByte].Record(latency - latency / 50);
      recorder[Metric::kLateness].Record(latency / 20);
      recorder[Metric::kLoopLag].Record(latency / 10);
    }
    for (const proto::Shard& shard : sender.Add(report)) wire.push_back(shard.SerializeAsString());
  }
  return wire;
}

void MergeShards(benchmark::State& state) {
  constexpr std::uint32_t kSeconds = 20;
  const auto agents = static_cast<std::uint32_t>(state.range(0));
  const std::vector<std::string> wire = ShardsOnTheWire(kSeconds);
  std::int64_t histograms = 0;
  for (auto _ : state) {
    Ledger ledger("run", 0, 0, std::vector<std::uint64_t>(agents, 1));
    Merger merger(agents);
    for (const std::string& bytes : wire) {
      for (std::uint32_t agent = 0; agent < agents; ++agent) {
        proto::Shard shard;
        bool is_good = shard.ParseFromString(bytes);
        shard.mutable_key()->set_agent(agent);
        histograms += shard.deltas_size();
        for (const proto::Shard& next : ledger.Offer(std::move(shard))) is_good = is_good && merger.Apply(next).ok();
        if (!is_good) state.SkipWithError("merge failed");
      }
    }
    if (!merger.Finish().ok()) state.SkipWithError("the sums differ");
  }
  state.SetItemsProcessed(histograms);
  state.counters["shard_bytes"] = static_cast<double>(wire.back().size());
}
BENCHMARK(MergeShards)->Arg(1)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond);

// A depth update of two levels a side, audited by range, with staleness and a name; `fan_out` also keeps its receipt.
void ListenTo(benchmark::State& state, bool has_fan_out) {
  proto::Listen listen;
  listen.set_stream("/s");
  listen.set_time("/E");
  listen.mutable_sequence()->set_rule("range");
  listen.mutable_sequence()->set_first("/U");
  listen.mutable_sequence()->set_number("/u");
  if (has_fan_out) listen.set_fan_out("/u");
  const StreamRules rules = StreamRules::Of(listen);
  JsonPointers json;
  Recorder recorder;
  std::unique_ptr<StreamListener> listener;
  std::vector<std::string> messages;
  for (int i = 0; i < 1'000; ++i) {
    const std::string number = std::to_string(100'000'000'000 + i);
    messages.push_back(R"({"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":)" + number + R"(,"u":)" + number +
                       R"(,"b":[["0.0024","10"],["0.0023","7"]],"a":[["0.0026","100"],["0.0027","3"]]})");
  }
  StreamListener::Arrival arrival{.now = kSecond, .since_start = 0};
  std::size_t i = 0;
  for (auto _ : state) {
    if (i % messages.size() == 0) listener = std::make_unique<StreamListener>(&rules, &json);
    arrival.now += kMillisecond;
    const std::string& message = messages[i++ % messages.size()];
    benchmark::DoNotOptimize(listener->Take(message, message.size(), arrival, &recorder));
  }
  if (recorder.counters[Finding::kUnread] + recorder.counters[Finding::kGap] != 0) state.SkipWithError("misread");
  state.SetBytesProcessed(static_cast<std::int64_t>(i * messages[0].size()));
}
BENCHMARK_CAPTURE(ListenTo, Depth, false);
BENCHMARK_CAPTURE(ListenTo, DepthAndFanOut, true);

// The same of a book that is kept and compared with its checksum.
void ListenToBook(benchmark::State& state) {
  proto::Listen listen;
  proto::Sequence* const sequence = listen.mutable_sequence();
  sequence->set_rule("checksum");
  sequence->set_snapshot("/type=snapshot");
  sequence->set_number("/c");
  sequence->set_bids("/b");
  sequence->set_asks("/a");
  sequence->set_depth(10);
  const StreamRules rules = StreamRules::Of(listen);
  JsonPointers json;
  Recorder recorder;
  StreamListener listener(&rules, &json);
  OrderBook book(10);
  book.Begin();
  const auto message = [&book](const char* type, int i) {
    const std::string price = "100." + std::to_string(10 + i % 10);
    const std::string size = "0." + std::to_string(1'000 + i % 1'000);
    book.Apply({{price, size}}, {{"200.5", size}});
    return std::string(R"({"type":")") + type + R"(","c":)" + std::to_string(book.Checksum()) + R"(,"b":[[")" + price +
           R"(",")" + size + R"("]],"a":[["200.5",")" + size + R"("]]})";
  };
  std::vector<std::string> messages = {message("snapshot", 0)};
  for (int i = 1; i < 1'000; ++i) messages.push_back(message("update", i));
  std::size_t i = 0;
  for (auto _ : state) {
    const std::string& text = messages[i++ % messages.size()];
    benchmark::DoNotOptimize(listener.Take(text, text.size(), {.now = static_cast<Nanos>(i)}, &recorder));
  }
  if (recorder.counters[Finding::kUnread] + recorder.counters[Finding::kChecksumWrong] != 0)
    state.SkipWithError("misread");
}
BENCHMARK(ListenToBook);

void Schedule(benchmark::State& state) {
  std::int64_t k = 0;
  for (auto _ : state) benchmark::DoNotOptimize(DueAt(k++, 20'000 * kOnePerSecond));
}
BENCHMARK(Schedule);

}  // namespace
}  // namespace tidemark

BENCHMARK_MAIN();
