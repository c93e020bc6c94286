// The command line of `tidemark`: a short form of the plan.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "coordinator/analysis/search.h"
#include "coordinator/report/formats.h"
#include "coordinator/run/agents.h"
#include "protos/plan.pb.h"

namespace tidemark {

// One `-o FORMAT=PATH`.
struct Output {
  const FormatRow* format = nullptr;  // not null once parsed
  std::string path;                   // "-" for stdout
};

// What `tidemark run` or `tidemark search` was asked to do.
struct RunOptions {
  proto::Plan plan;  // resolved and valid; of a search: of its first trial
  AgentOptions agents;
  std::vector<Output> outputs;
  std::string journal;  // a path; empty: the default one, for runs on other agents
  bool has_no_journal = false;
  bool is_dry_run = false;
  bool is_quiet = false;
  bool has_color = true;
  bool has_latency_detail = false;
  bool is_strict = false;
  bool is_rate_search = false;  // else over connections
  SearchOptions search = {};
  std::int64_t search_step = 1;  // of a search for a rate: how many slots per 1,000 hours a level is more than the last
};

enum class Command { kNone, kRun, kSearch, kSelftest };

// What to do after parsing; kNone: end with `exit_code` after printing `text` (help, version, usage error).
struct CommandLine {
  Command command = Command::kNone;
  RunOptions options = {};
  int exit_code = 0;
  std::string text = {};
};

// One `-o`. Errors: InvalidArgument naming the text.
absl::StatusOr<Output> ParseOutput(const std::string& text);

// Parses argv and reads the plan file and body files that it names. Bad input gives exit code 1 and one line.
CommandLine ParseCommandLine(int argc, const char* const* argv);

}  // namespace tidemark
