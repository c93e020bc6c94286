// main of every test binary: a broken pipe is an error to handle, not a signal to die of.
// With --judges-times the tests run in a child process, and this one watches the machine meanwhile. Where they fail and
// other programs were in their way, it says "[  SPOILT  ]" and how busy the machine was: scripts/test runs them again.
// A crash, or what a sanitizer finds (exit code 66), has nothing to do with time, and is never spoilt.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/support/machine_watch.h"

namespace {

// Takes --judges-times out of the arguments, where it stands last; false if it is not there.
bool TakeJudgesTimes(int* argc, char** argv) {
  if (*argc < 2 || std::strcmp(argv[*argc - 1], "--judges-times") != 0) return false;
  argv[--*argc] = nullptr;
  return true;
}

// The exit code of `tests`, watched.
int Watch(pid_t tests) {
  tidemark::MachineWatch watch(getpid());
  int status = 0;
  while (waitpid(tests, &status, WNOHANG) == 0) watch.Sleep();
  watch.EndSlice();
  if (!WIFEXITED(status)) {
    std::printf("the tests ended by signal %d\n", WTERMSIG(status));
    return 1;
  }
  const int code = WEXITSTATUS(status);
  const char* const mark = code == 1 && watch.seen().WasDisturbed() ? "[  SPOILT  ]" : "[ MACHINE  ]";
  std::printf("%s %s\n", mark, watch.seen().ToString().c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (TakeJudgesTimes(&argc, argv)) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t watcher = getpid();
    const pid_t child = fork();
    if (child > 0) return Watch(child);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (child < 0 || getppid() != watcher) {
      std::perror("the tests cannot be watched");
      return 1;
    }
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
