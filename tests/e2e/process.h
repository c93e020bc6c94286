// Programs as a user starts them: their output, their exit code, and no process left behind.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace tidemark {

// A folder that goes with the test.
class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/tidemark-test-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    path_ = name;
    std::filesystem::permissions(path_, std::filesystem::perms::others_exec | std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void Spill(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// One child process. Its destructor kills it if it still runs.
class Process {
 public:
  // `environment` entries ("NAME=VALUE") come on top of ours; `inherited_fd`, if not negative, becomes descriptor 9.
  explicit Process(std::vector<std::string> arguments, const std::vector<std::string>& environment = {},
                   int inherited_fd = -1) {
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
  ~Process() {
    if (pid_ > 0 && !is_over_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Waits for its end; whether it left a core dump.
  bool DumpedCore() {
    int status = 0;
    is_over_ = waitpid(pid_, &status, 0) == pid_;
    return WCOREDUMP(status);
  }
  void Signal(int signal) const { kill(pid_, signal); }

  // The longest that a program may take: the long forms of tests run for minutes.
  static std::chrono::seconds DefaultLimit() {
    return std::chrono::seconds(std::getenv("TIDEMARK_FULL") != nullptr ? 900 : 300);
  }

  // The exit code; -signal if it died of one; kills it after `limit` and returns -1000.
  int Wait(std::chrono::seconds limit = DefaultLimit()) {
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
  bool IsRunning() {
    int status = 0;
    if (!is_over_ && waitpid(pid_, &status, WNOHANG) == pid_) {
      is_over_ = true;
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    return !is_over_;
  }

  std::string Out() const { return Slurp(dir_ / "out"); }
  std::string Err() const { return Slurp(dir_ / "err"); }

  // Waits until stdout holds a line that starts with `prefix`; returns the rest of that line.
  std::string WaitForLine(const std::string& prefix) {
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

 private:
  TempDir dir_;
  pid_t pid_ = -1;
  bool is_over_ = false;
  int code_ = 0;
};

}  // namespace tidemark
