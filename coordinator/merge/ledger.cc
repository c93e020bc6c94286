#include "coordinator/merge/ledger.h"

#include <utility>

namespace tidemark {

Ledger::Ledger(std::string run, std::uint32_t point, std::uint32_t attempt, std::vector<std::uint64_t> incarnations)
    : run_(std::move(run)), point_(point), attempt_(attempt) {
  for (const std::uint64_t incarnation : incarnations) agents_.push_back({.incarnation = incarnation});
}

std::vector<proto::Shard> Ledger::Offer(proto::Shard shard) {
  const proto::ShardKey& key = shard.key();
  if (key.run() != run_ || key.point() != point_ || key.attempt() != attempt_ || key.agent() >= agents_.size() ||
      key.incarnation() != agents_[key.agent()].incarnation) {
    ++rejected_;
    return {};
  }
  AgentState& agent = agents_[key.agent()];
  if (key.seq() < agent.next_seq || agent.early.count(key.seq()) != 0) {
    ++duplicates_;
    return {};
  }
  if (key.seq() != agent.next_seq && agent.early.size() >= kMaxEarly) {
    ++rejected_;
    return {};
  }
  const std::uint64_t seq = key.seq();
  agent.early.emplace(seq, std::move(shard));
  std::vector<proto::Shard> ready;
  while (!agent.early.empty() && agent.early.begin()->first == agent.next_seq) {
    ready.push_back(std::move(agent.early.extract(agent.early.begin()).mapped()));
    ++agent.next_seq;
    ++accepted_;
  }
  return ready;
}

std::size_t Ledger::Waiting() const {
  std::size_t waiting = 0;
  for (const AgentState& agent : agents_) waiting += agent.early.size();
  return waiting;
}

}  // namespace tidemark
