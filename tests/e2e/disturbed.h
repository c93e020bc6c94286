// A generator that is disturbed.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/part_of_a_core.h"

namespace tidemark {

inline constexpr const char* kDisturbances[] = {"none",    "quota 5 %", "quota 20 %", "quota 50 %",
                                                "stopped", "busy core", "8 workers"};

// Stops a process, and no other one that has its number later.
class Stop {
 public:
  explicit Stop(pid_t pid) : process_(new int(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))), CloseIt) {}

  void For(std::chrono::milliseconds time) const {
    syscall(SYS_pidfd_send_signal, *process_, SIGSTOP, nullptr, 0);
    std::this_thread::sleep_for(time);
    syscall(SYS_pidfd_send_signal, *process_, SIGCONT, nullptr, 0);
  }

 private:
  static void CloseIt(int* fd) {
    close(*fd);
    delete fd;
  }
  std::shared_ptr<int> process_;
};

// While it lives, a process has so much of a core, or is stopped for 20 ms of each second, or a loop takes turns with
// it on its core, or it has more workers than its two cores. Begun with Prefix(), and told of with Begin.
class Disturbance {
 public:
  explicit Disturbance(const std::string& kind) : kind_(kind), prefix_(OnCore(0)) {
    if (kind.substr(0, 5) == "quota") {
      group_ = std::make_unique<PartOfACore>(std::stoi(kind.substr(6)));
      prefix_ = group_->Prefix();
    }
    // An agent takes four for each core that it may use.
    if (Threads() != "1" && std::thread::hardware_concurrency() > 2) prefix_ = {"taskset", "-c", "0,1"};
    if (Threads() != "1" && std::thread::hardware_concurrency() <= 2) prefix_ = {};
    if (kind != "busy core") return;
    std::vector<std::string> command = OnCore(0);
    command.insert(command.end(), {"sh", "-c", "while :; do :; done"});
    loop_ = std::make_unique<Process>(command);
  }
  ~Disturbance() {
    is_over_ = true;
    if (stopper_.joinable()) stopper_.join();
  }

  const std::string& kind() const { return kind_; }
  const std::vector<std::string>& Prefix() const { return prefix_; }
  std::string Threads() const { return kind_.find(" workers") == kind_.npos ? "1" : kind_.substr(0, kind_.find(' ')); }
  void Begin(pid_t pid) {
    if (kind_ != "stopped") return;
    stopper_ = std::thread([this, stop = Stop(pid)] {
      for (int ms = 0; !is_over_; ++ms) {
        if (ms % 1'000 == 999) stop.For(std::chrono::milliseconds(20));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }

 private:
  const std::string kind_;
  std::vector<std::string> prefix_;
  std::unique_ptr<PartOfACore> group_;
  std::unique_ptr<Process> loop_;  // which ends with it
  std::atomic<bool> is_over_{false};
  std::thread stopper_;
};

}  // namespace tidemark
