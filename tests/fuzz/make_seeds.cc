// Writes seeds for shard_fuzz into the folder given: sequences of true shards.
#include <fstream>

#include "tests/support/shards.h"

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    std::mt19937_64 rng(seed);
    std::ofstream out(std::string(argv[1]) + "/shards" + std::to_string(seed), std::ios::binary);
    for (const std::uint32_t agent : {0u, 1u}) {
      for (const auto& shard : tidemark::MakeShards(rng, agent, 1, 1 + static_cast<std::uint32_t>(seed), 6).shards) {
        const std::string bytes = shard.SerializeAsString();
        out.put(static_cast<char>(bytes.size() & 0xff)).put(static_cast<char>(bytes.size() >> 8)) << bytes;
      }
    }
  }
  return 0;
}
