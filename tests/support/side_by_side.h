// Jobs that mostly wait, several at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace tidemark {

// Calls `job` with 0 to count - 1, `at_once` of them side by side.
inline void SideBySide(int count, int at_once, const std::function<void(int)>& job) {
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < std::min(count, at_once); ++i) {
    threads.emplace_back([&] {
      for (int k = next++; k < count; k = next++) job(k);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace tidemark
