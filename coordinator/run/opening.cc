#include "coordinator/run/opening.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/control/protocol_version.h"
#include "common/inert_text.h"
#include "common/plan/split.h"

namespace tidemark {
namespace {

// Between two attempts to open an agent that is busy; a random part of it is added.
constexpr Nanos kBusyInterval = 100 * kMillisecond;

}  // namespace

bool Opening::Open() {
  const std::vector<FoundAgent>& found = run_->found;
  run_->result.agents.resize(found.size());
  run_->agents.reserve(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    run_->agents.emplace_back(i, &found[i], run_->events);
    run_->result.agents[i].set_agent(static_cast<std::uint32_t>(i));
    run_->result.agents[i].set_address(found[i].address);
    run_->result.agents[i].set_is_insecure_control(found[i].description.is_insecure());
    SendOpen(i);
  }
  const bool is_open = OpenAll();
  if (run_->journal != nullptr) run_->journal->Begin(run_->result, run_->plan);
  return is_open && HasPorts();
}

void Opening::SendOpen(std::size_t agent) {
  AgentState& state = run_->agents[agent];
  state.is_opened = false;
  state.busy.clear();
  state.stream.Open();
  proto::Command command;
  proto::Open* open = command.mutable_open();
  open->set_protocol_version(kProtocolVersion);
  open->set_run(run_->result.run);
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  open->set_coordinator(InertName(absl::StrCat(host, ", process ", getpid())));
  open->set_agent(static_cast<std::uint32_t>(agent));
  *open->mutable_plan() = run_->plan;
  run_->SendTo(agent, command);
}

// Of two coordinators that want the same agents at the same moment one gets them all: the agents have an order, which
// is that of their incarnations. Who is refused by one gives back those behind it, and asks again for a moment.
bool Opening::OpenAll() {
  std::vector<AgentState>& agents = run_->agents;
  std::vector<std::size_t> order(agents.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return run_->found[a].description.incarnation() < run_->found[b].description.incarnation();
  });
  const Nanos give_up = MonotonicNow() + kBusyPatience;
  std::random_device device;
  while (true) {
    const bool is_going = waiting_->ForAll(
        [](const AgentState& agent) { return agent.is_opened || !agent.busy.empty() || !agent.stream.IsOpen(); },
        run_->limits.open, "opening the run");
    if (!is_going) return false;
    const auto first =
        std::find_if(order.begin(), order.end(), [&agents](std::size_t agent) { return !agents[agent].is_opened; });
    if (first == order.end()) return true;
    const AgentState& state = agents[*first];
    if (!state.stream.IsOpen()) {  // given back before
      for (auto next = first; next != order.end(); ++next) {
        if (!agents[*next].stream.IsOpen()) SendOpen(*next);
      }
      continue;
    }
    if (MonotonicNow() >= give_up) {
      losses_->Lose(*first, kExitAgents, state.busy, true);
      return false;
    }
    Release({first, order.end()});
    if (!waiting_->For(kBusyInterval + device() % kBusyInterval)) return false;
    SendOpen(*first);
  }
}

// Ends the streams of `agents`, which are then free for others.
void Opening::Release(const std::vector<std::size_t>& agents) {
  proto::Command close;
  close.mutable_close();
  const Nanos close_by = MonotonicNow() + run_->limits.close;
  for (const std::size_t agent : agents) {
    AgentState& state = run_->agents[agent];
    if (!state.stream.IsOpen()) continue;
    if (state.is_opened) run_->SendTo(agent, close);
    state.stream.CloseBy(close_by);
    state.stream.Finish();
  }
  for (const std::size_t agent : agents) {
    AgentState& state = run_->agents[agent];
    state.stream.Drop();
    state.is_opened = false;
    state.busy.clear();
  }
}

// Whether each agent has a local port for each of its connections, at every point.
bool Opening::HasPorts() {
  const proto::Plan& plan = run_->plan;
  if (plan.target().rfind("unix:", 0) == 0) return true;
  for (const std::int64_t connections : plan.sweep().connections()) {  // an open loop has one count for all points
    const std::vector<std::int64_t> shares = SplitEvenly(connections, static_cast<std::int64_t>(run_->agents.size()));
    for (std::size_t i = 0; i < run_->agents.size(); ++i) {
      const std::int64_t pairs =
          std::max(plan.source_addresses_size(), 1) * run_->result.agents[i].target_addresses_size();
      const std::int64_t ports = run_->found[i].description.local_ports() * pairs;
      if (shares[i] <= ports) continue;
      run_->result.Note(kExitUsage,
                        absl::StrCat("sweep.connections: ", connections, " give agent ", run_->found[i].address, " ",
                                     shares[i], " connections, but it has ", ports,
                                     " local ports to this target; add --source addresses or agents"));
      return false;
    }
  }
  return true;
}

}  // namespace tidemark
