// Ctrl-C, and what follows from it.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "common/ignored_signal.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/run.h"

namespace tidemark {

// Turns the first SIGINT, SIGTERM or SIGHUP into an event and the second into the end of the process. A SIGHUP that was
// ignored when the process began, as under nohup, stays so.
// The signals are blocked in every thread but this one's sigwait: make it before any other thread.
class SignalWatcher {
 public:
  explicit SignalWatcher(RunEvents* events) {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set_, signal);
    if (!IsIgnored(SIGHUP)) sigaddset(&set_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    thread_ = std::thread([this, events] {
      int seen = 0;
      while (true) {
        int signal = 0;
        sigwait(&set_, &signal);
        if (signal == SIGUSR1) return;  // from our destructor
        if (++seen > 1) _exit(kExitInterrupted);
        events->Push({.kind = RunEvent::Kind::kInterrupt});
      }
    });
  }
  ~SignalWatcher() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  sigset_t set_;
  std::thread thread_;
};

}  // namespace tidemark
