// What `tidemark run` or `tidemark search` was asked to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/analysis/search.h"
#include "coordinator/cli/files.h"
#include "coordinator/observe/progress_form.h"
#include "coordinator/run/agents.h"
#include "protos/plan.pb.h"

namespace tidemark {

struct RunOptions {
  proto::Plan plan;  // resolved and valid; of a search: of its first trial
  AgentOptions agents;
  std::vector<Output> outputs;
  std::string journal;  // a path; empty: the default one, for runs on other agents
  bool has_no_journal = false;
  bool is_dry_run = false;
  bool is_quiet = false;
  ProgressForm progress = ProgressForm::kPlain;
  bool has_color = true;
  bool is_explained = false;
  bool has_latency_detail = false;
  bool is_strict = false;
  bool is_rate_search = false;  // else over connections
  SearchOptions search = {};
  std::int64_t search_step = 1;  // of a search for a rate: how many slots per 1,000 hours a level is more than the last
};

}  // namespace tidemark
