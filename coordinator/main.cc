// tidemark: plans a sweep, runs it on its agents, reports.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <malloc.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "agent/host/machine.h"
#include "coordinator/cli/agents_command.h"
#include "coordinator/cli/certs_command.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/compare_command.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/reference.h"
#include "coordinator/cli/report_command.h"
#include "coordinator/cli/run_command.h"
#include "coordinator/cli/search_command.h"
#include "coordinator/cli/selftest_command.h"
#include "coordinator/merge/run_result.h"

namespace tidemark {
namespace {

int Main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  gpr_set_log_function([](gpr_log_func_args*) {});    // its reasons come back as statuses
  google::protobuf::SetLogHandler(nullptr);           // what cannot be parsed comes back as a status, too
  setenv("GRPC_EXPERIMENTS", "-tcp_read_chunks", 0);  // it holds 64 KiB of read buffer per agent, where 8 KiB will do
  RaiseDescriptorLimit();
  mallopt(M_ARENA_MAX, 2);  // a thread per agent, and few of them busy at a time
  const absl::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "agents") return AgentsCommand({argv + 2, argv + argc});
  if (verb == "certs") return CertsCommand({argv + 2, argv + argc});
  if (verb == "compare") return CompareCommand({argv + 2, argv + argc});
  if (verb == "reference") return ReferenceCommand({argv + 2, argv + argc});
  if (verb == "report") return ReportCommand({argv + 2, argv + argc});
  if (verb == "stop") return StopCommand({argv + 2, argv + argc});
  const CommandLine line = ParseCommandLine(argc, argv);
  switch (line.command) {
    case Command::kRun:
      return RunCommand(line.options);
    case Command::kSearch:
      return SearchCommand(line.options);
    case Command::kSelftest:
      return SelftestCommand();
    case Command::kNone:
      break;
  }
  std::fputs(line.text.c_str(), line.exit_code == 0 ? stdout : stderr);
  return line.exit_code;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  try {
    const int code = tidemark::Main(argc, argv);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    const int lost = tidemark::Fail(tidemark::kExitUsage, "standard output cannot be written; check what it leads to");
    return code == tidemark::kExitOk ? lost : code;
  } catch (const std::exception& error) {
    return tidemark::Fail(tidemark::kExitInternal, absl::StrCat("internal error: ", error.what()));
  }
}
