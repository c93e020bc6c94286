// Work that is done again and again, apart from the rest.
#pragma once

#include <functional>
#include <thread>

#include "common/clock.h"
#include "common/mutex.h"

namespace tidemark {

// Calls `work` in a thread of its own, `every` after construction, and then so long after the end of the last call.
// Threads: any.
class Periodic {
 public:
  Periodic(Nanos every, std::function<void()> work);
  ~Periodic();  // waits for a call that is under way; none begins any more
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

 private:
  void Run();

  const Nanos every_;
  const std::function<void()> work_;
  Mutex mutex_;
  CondVar changed_;
  bool is_closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tidemark
