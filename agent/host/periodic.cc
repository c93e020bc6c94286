#include "agent/host/periodic.h"

#include <utility>

namespace tidemark {

Periodic::Periodic(Nanos every, std::function<void()> work)
    : every_(every), work_(std::move(work)), thread_([this] { Run(); }) {}

Periodic::~Periodic() {
  {
    MutexLock lock(&mutex_);
    is_closing_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Periodic::Run() {
  Nanos next = MonotonicNow() + every_;
  while (true) {
    while (true) {
      MutexLock lock(&mutex_);
      if (is_closing_) return;
      const Nanos left = next - MonotonicNow();
      if (left <= 0) break;
      changed_.WaitFor(&mutex_, left);
    }
    work_();
    next = MonotonicNow() + every_;
  }
}

}  // namespace tidemark
