// Ctrl-C, and what follows from it.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "common/ignored_signal.h"
#include "coordinator/observe/terminal.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/run.h"

namespace tidemark {

// Turns the first SIGINT, SIGTERM or SIGHUP into an event and the second into the end of the process. A SIGHUP that was
// ignored when the process began, as under nohup, stays so. A terminal is told of Ctrl-Z and what follows, and of its
// new size, and given back before the process ends.
// The signals are blocked in every thread but this one's sigwait: make it before any other thread.
class SignalWatcher {
 public:
  // `terminal` lives longer; null: there is none to look after.
  explicit SignalWatcher(RunEvents* events, Terminal* terminal = nullptr) {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set_, signal);
    if (!IsIgnored(SIGHUP)) sigaddset(&set_, SIGHUP);
    if (terminal != nullptr) {
      for (const int signal : {SIGCONT, SIGWINCH}) sigaddset(&set_, signal);
      if (!IsIgnored(SIGTSTP)) sigaddset(&set_, SIGTSTP);
    }
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    thread_ = std::thread([this, events, terminal] {
      int seen = 0;
      while (true) {
        int signal = 0;
        sigwait(&set_, &signal);
        if (signal == SIGUSR1) return;  // from our destructor
        if (signal == SIGTSTP) Stop(terminal);
        if (signal == SIGCONT) terminal->Resume();
        if (signal == SIGWINCH) terminal->Wake();
        if (signal == SIGTSTP || signal == SIGCONT || signal == SIGWINCH) continue;
        if (++seen > 1) {
          if (terminal != nullptr) terminal->LeaveNow();
          _exit(kExitInterrupted);
        }
        events->Push({.kind = RunEvent::Kind::kInterrupt});
      }
    });
  }
  ~SignalWatcher() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  // As the default action does, of all threads; returns when the process goes on.
  static void Stop(Terminal* terminal) {
    terminal->Suspend();
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
    raise(SIGTSTP);
    pthread_sigmask(SIG_BLOCK, &stop, nullptr);
    terminal->Resume();
  }

  sigset_t set_;
  std::thread thread_;
};

}  // namespace tidemark
