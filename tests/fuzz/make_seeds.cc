// Writes seeds into the folders given: for shard_fuzz sequences of true shards, for control_fuzz true messages.
#include <fstream>

#include "common/plan/defaults.h"
#include "protos/agent.pb.h"
#include "protos/plan.pb.h"
#include "tests/support/edit_counters.h"
#include "tests/support/shards.h"

namespace {

void WriteShards(const std::string& folder) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    std::mt19937_64 rng(seed);
    std::ofstream out(folder + "/shards" + std::to_string(seed), std::ios::binary);
    for (const std::uint32_t agent : {0u, 1u}) {
      for (const auto& shard : tidemark::MakeShards(rng, agent, 1, 1 + static_cast<std::uint32_t>(seed), 6, 3).shards) {
        const std::string bytes = shard.SerializeAsString();
        out.put(static_cast<char>(bytes.size() & 0xff)).put(static_cast<char>(bytes.size() >> 8)) << bytes;
      }
    }
  }
}

void WriteControl(const std::string& folder) {
  tidemark::proto::Command open;
  open.set_number(1);
  open.mutable_open()->set_run("run");
  tidemark::proto::Plan* const plan = open.mutable_open()->mutable_plan();
  plan->set_target("http://127.0.0.1:80/path");
  plan->add_resolve("127.0.0.1:80:127.0.0.2");
  tidemark::ApplyDefaults(plan);
  std::ofstream(folder + "/open", std::ios::binary) << '\0' << open.SerializeAsString();
  plan->mutable_sweep()->add_rates(100);
  std::ofstream(folder + "/open_rate", std::ios::binary) << '\0' << open.SerializeAsString();
  std::mt19937_64 rng(1);
  tidemark::proto::Event event;
  *event.mutable_shard() = tidemark::MakeShards(rng, 0, 1, 1, 6).shards[0];
  std::ofstream(folder + "/shard", std::ios::binary) << '\1' << event.SerializeAsString();
  event.mutable_ready()->set_connections_up(3);
  tidemark::EditCounters(event.mutable_ready()->mutable_warmup(), [](tidemark::Counters* c) { c->planned = 3; });
  std::ofstream(folder + "/ready", std::ios::binary) << '\1' << event.SerializeAsString();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  WriteShards(argv[1]);
  WriteControl(argv[2]);
}
