// Hands the result of a run to its user: the table, the files, the exit code.
#pragma once

#include "coordinator/cli/run_options.h"
#include "coordinator/merge/run_result.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Prints the notes on stderr, a line each; of more than 20 the first and how many others the JSON has.
void PrintNotes(const RunResult& result);

// Prints and writes what `options` ask for. Returns the exit code, which knows of expectations, --strict and files that
// could not be written, besides what the run came to.
int Deliver(RunResult result, const proto::Plan& plan, const RunOptions& options);

// The same of a report that was read back, to which nothing is added: 0, 4 with --strict, 1 if a file could not be
// written.  REQUIRES: no format of `options` needs more than the report.
int DeliverAgain(const proto::Report& report, const RunOptions& options);

}  // namespace tidemark
