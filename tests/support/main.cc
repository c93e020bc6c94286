// main of every test binary: a broken pipe is an error to handle, not a signal to die of.
// With --attempts=N the tests run in a child process, and once more if they failed, N times at most: for tests that
// judge times, which a busy machine can spoil. What is wrong in the code fails each time.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// Takes --attempts=N out of the arguments; 1 if it is not there.
int TakeAttempts(int* argc, char** argv) {
  constexpr char kFlag[] = "--attempts=";
  if (*argc < 2 || std::strncmp(argv[*argc - 1], kFlag, sizeof kFlag - 1) != 0) return 1;
  --*argc;
  return std::atoi(argv[*argc] + sizeof kFlag - 1);
}

// True in the process that runs the tests; else *status is that of its end.
bool BecomeChild(int* status) {
  const pid_t child = fork();
  if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (child <= 0) return true;  // without a child, here
  int raw = 0;
  waitpid(child, &raw, 0);
  *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 1;
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const int attempts = TakeAttempts(&argc, argv);
  for (int attempt = 1; attempt < attempts; ++attempt) {
    int status = 0;
    if (BecomeChild(&status)) break;
    if (status == 0) return 0;
    std::printf("attempt %d of %d failed; once more\n", attempt, attempts);
    std::fflush(stdout);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
