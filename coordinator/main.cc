// tidemark: plans a sweep, runs it on its agents, reports.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <malloc.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "agent/host/machine.h"
#include "common/exit_code.h"
#include "coordinator/cli/cli.h"
#include "coordinator/cli/fail.h"

namespace tidemark {
namespace {

int Main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  gpr_set_log_function([](gpr_log_func_args*) {});    // its reasons come back as statuses
  google::protobuf::SetLogHandler(nullptr);           // what cannot be parsed comes back as a status, too
  setenv("GRPC_EXPERIMENTS", "-tcp_read_chunks", 0);  // it holds 64 KiB of read buffer per agent, where 8 KiB will do
  RaiseDescriptorLimit();
  mallopt(M_ARENA_MAX, 2);  // a thread per agent, and few of them busy at a time
  const CommandLine line = ParseCommandLine(argc, argv);
  if (line.prepared.act) return line.prepared.act();
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
