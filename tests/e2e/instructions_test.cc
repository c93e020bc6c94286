// The hot path in instructions, counted under valgrind: repeatable where seconds are not.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/e2e/programs.h"
#include "tests/support/process.h"

namespace tidemark {
namespace {

// Instructions per request of a worker's thread, everything recorded: parsing, clocks, histograms, time-out. valgrind
// turns each clock read into a system call, so the instructions of reading it in user space are missing.
// Raise it only with a reason; a change that saves instructions lowers it.
constexpr double kCommittedInstructions = 688;
// The same of a WebSocket message of 64 B and its echo: framing, masking, time-out.
constexpr double kCommittedMessage = 1'325;

// Instructions inside Worker::Run for `requests` over 64 connections.
std::uint64_t Instructions(const std::vector<std::string>& arguments, int requests) {
  TempDir dir;
  const std::string counts = dir / "callgrind.out";
  std::vector<std::string> command = {"valgrind", "--tool=callgrind", "--toggle-collect=tidemark::Worker::Run()",
                                      "--callgrind-out-file=" + counts, TIDEMARK_BINARY, "run", "-q", "-t", "1", "-c",
                                      "64", "-n", std::to_string(requests), "--warmup", "0",
                                      // Stamps are so many a second, which valgrind makes a large part of the requests.
                                      "--kernel-timestamps", "0"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Process run(command);
  EXPECT_EQ(run.Wait(), 0) << run.Err();
  std::ifstream file(counts);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("totals: ", 0) == 0) return std::stoull(line.substr(8));
  }
  ADD_FAILURE() << "callgrind counted nothing";
  return 0;
}

// Expects that each request costs what was committed, and no less.
void ExpectInstructions(const std::vector<std::string>& arguments, double committed) {
  constexpr int kFew = 10'000;
  constexpr int kMany = 60'000;
  const double each =
      static_cast<double>(Instructions(arguments, kMany) - Instructions(arguments, kFew)) / (kMany - kFew);
  testing::Test::RecordProperty("instructions_per_request", std::to_string(each));
  EXPECT_LE(each, committed * 1.05) << "more than 5 % above the committed figure";
  EXPECT_GE(each, committed * 0.90) << "a saving: commit the lower figure";
}

TEST(InstructionsTest, ARequestCostsNoMoreThanItDid) {
  Process responder({TIDEMARK_BARE_RESPONDER});
  ExpectInstructions({absl::StrCat("http://", responder.WaitForLine("listening on "), "/")}, kCommittedInstructions);
}

TEST(InstructionsTest, AMessageCostsNoMoreThanItDid) {
  Mock mock;
  ExpectInstructions({"--data", std::string(64, 'x'), "ws" + mock.Url("/ws").substr(4)}, kCommittedMessage);
}

}  // namespace
}  // namespace tidemark
