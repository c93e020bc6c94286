// A line between this process's network namespace and a host of a TestNet, which takes its time and loses packets.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tidemark {

// Two TUN devices, and a thread that carries each packet from one to the other after `delay`, but for every
// `lost_every`th of those with data. The host is kFarAddress at its far end.
class SlowLine {
 public:
  static constexpr char kFarAddress[] = "10.78.0.1";

  SlowLine(const std::string& host, std::chrono::microseconds delay, int lost_every);
  ~SlowLine();
  bool IsThere() const { return is_there_; }
  int lost() const { return lost_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Packets = std::deque<std::pair<Clock::time_point, std::vector<char>>>;

  static int Open(const char* name);

  void Take(int from, Packets* packets);
  static void Deliver(int to, Packets* packets);
  void Carry();

  const std::chrono::microseconds delay_;
  const int lost_every_;
  int near_ = -1;
  int far_ = -1;
  int with_data_ = 0;
  std::atomic<int> lost_ = 0;
  bool is_there_ = false;
  std::atomic<bool> is_over_ = false;
  std::thread carrier_;
};

}  // namespace tidemark
