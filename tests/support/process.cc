#include "tests/support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>

extern char** environ;

namespace tidemark {

TempDir::TempDir() {
  char name[] = "/tmp/tidemark-test-XXXXXX";
  EXPECT_NE(mkdtemp(name), nullptr);
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms::others_exec | std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
}

std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Process::Process(std::vector<std::string> arguments, const std::vector<std::string>& environment, int inherited_fd) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  std::vector<char*> envp;
  for (std::string& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, (dir_ / "out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (dir_ / "err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (inherited_fd >= 0) posix_spawn_file_actions_adddup2(&actions, inherited_fd, 9);
  EXPECT_EQ(posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data()), 0) << argv[0];
  posix_spawn_file_actions_destroy(&actions);
}

Process::~Process() {
  if (pid_ > 0 && !is_over_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

bool Process::DumpedCore() {
  int status = 0;
  is_over_ = waitpid(pid_, &status, 0) == pid_;
  return WCOREDUMP(status);
}

std::chrono::seconds Process::DefaultLimit() {
  return std::chrono::seconds(std::getenv("TIDEMARK_FULL") != nullptr ? 900 : 300);
}

int Process::Wait(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  int status = 0;
  while (!is_over_) {
    const pid_t done = waitpid(pid_, &status, WNOHANG);
    if (done == pid_) {
      is_over_ = true;
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
      break;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "still running after " << limit.count() << " s: " << Out() << Err();
      return -1000;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return code_;
}

bool Process::IsRunning() {
  int status = 0;
  if (!is_over_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    is_over_ = true;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return !is_over_;
}

std::string Process::WaitForLine(const std::string& prefix) {
  for (int i = 0; i < 30'000; ++i) {  // a minute
    std::istringstream lines(Out());
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind(prefix, 0) == 0 && !lines.eof()) return line.substr(prefix.size());
    }
    if (!IsRunning()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ADD_FAILURE() << "no line '" << prefix << "': " << Out() << Err();
  return "";
}

bool Succeeds(const std::string& command) {
  std::istringstream words(command);
  std::vector<std::string> arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  return Process(arguments, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}).Wait() == 0;
}

}  // namespace tidemark
