// Messages of the control channel and journals, from whoever sends them: parsed, judged, never believed.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/control/outbox.h"
#include "common/plan/defaults.h"
#include "common/plan/dialled.h"
#include "common/plan/durations.h"
#include "common/plan/sweep.h"
#include "common/plan/target.h"
#include "common/plan/validate.h"
#include "common/stats/histogram_codec.h"
#include "common/stats/outcome.h"
#include "coordinator/merge/ledger.h"
#include "coordinator/merge/merger.h"
#include "protos/agent.pb.h"
#include "protos/plan.pb.h"

// The first byte says which end the rest is for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tidemark;
  static google::protobuf::LogHandler* const kSilence = google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(kSilence);
  if (size < 1) return 0;
  const int length = static_cast<int>(size - 1);
  Inbox inbox;
  if (bytes[0] % 2 == 0) {
    proto::Command command;
    if (!command.ParseFromArray(bytes + 1, length)) return 0;
    static_cast<void>(inbox.Offer(command.number()));
    if (!command.has_open()) return 0;
    proto::Plan* const plan = command.mutable_open()->mutable_plan();
    if (!ValidatePlan(*plan).ok()) {
      ApplyDefaults(plan);
      if (!ValidatePlan(*plan).ok()) return 0;
    }
    static_cast<void>(ParseTarget(plan->target()));
    for (const std::string& text : plan->resolve()) static_cast<void>(ParseResolveOverride(text));
    for (int i = 0; i < std::min(PointCount(plan->sweep()), 4); ++i) static_cast<void>(PointAt(plan->sweep(), i));
    return 0;
  }
  proto::Event event;
  if (!event.ParseFromArray(bytes + 1, length)) return 0;
  static_cast<void>(inbox.Offer(event.number()));
  if (event.has_ready()) {
    Counters warmup;
    Pending pending;
    if (FromProto(event.ready().warmup(), &warmup, &pending)) static_cast<void>(BrokenIdentity(warmup, pending));
    Histogram decoded;
    for (const proto::HistogramDelta& delta : event.ready().connects()) static_cast<void>(DecodeDelta(delta, &decoded));
  }
  if (event.has_shard()) {
    Ledger ledger("run", 0, 0, {1, 1});
    Merger merger(2);
    for (const proto::Shard& shard : ledger.Offer(std::move(*event.mutable_shard())))
      static_cast<void>(merger.Apply(shard));
    static_cast<void>(merger.Finish());
  }
  return 0;
}
