// Programs as a user starts them: their output, their exit code, and no process left behind.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace tidemark {

// A folder that goes with the test.
class TempDir {
 public:
  TempDir();
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string Slurp(const std::string& path);

inline void Spill(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// One child process. Its destructor kills it if it still runs.
class Process {
 public:
  // `environment` entries ("NAME=VALUE") come on top of ours; `inherited_fd`, if not negative, becomes descriptor 9.
  explicit Process(std::vector<std::string> arguments, const std::vector<std::string>& environment = {},
                   int inherited_fd = -1);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Waits for its end; whether it left a core dump.
  bool DumpedCore();
  void Signal(int signal) const { kill(pid_, signal); }

  // The longest that a program may take: the long forms of tests run for minutes.
  static std::chrono::seconds DefaultLimit();

  // The exit code; -signal if it died of one; kills it after `limit` and returns -1000.
  int Wait(std::chrono::seconds limit = DefaultLimit());
  bool IsRunning();

  std::string Out() const { return Slurp(dir_ / "out"); }
  std::string Err() const { return Slurp(dir_ / "err"); }

  // Waits until stdout holds a line that starts with `prefix`; returns the rest of that line.
  std::string WaitForLine(const std::string& prefix);

 private:
  TempDir dir_;
  pid_t pid_ = -1;
  bool is_over_ = false;
  int code_ = 0;
};

// Runs a command of plain words, found as root finds it; whether it succeeded.
bool Succeeds(const std::string& command);

}  // namespace tidemark
