// A target inside this process, for the selftest: it answers at once, counts, and can hold its breath.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "common/clock.h"

namespace tidemark {

// One thread that answers every request on loopback with a canned 200. It knows requests by their empty line: for GET
// alone. Threads: control; the counter and the pause are atomics.
class LocalResponder {
 public:
  // Errors: Unavailable if loopback cannot be listened on.
  static absl::StatusOr<std::unique_ptr<LocalResponder>> Start();
  ~LocalResponder();

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  // Requests received so far.
  std::uint64_t requests() const { return requests_; }
  // From the next request on, after `delay`, it reads nothing for `length`; once.
  void PauseOnce(Nanos delay, Nanos length);

 private:
  LocalResponder(int listener, int poller, std::uint16_t port);
  void Serve();
  void Answer(int connection);

  const int listener_;
  const int poller_;
  const std::uint16_t port_;
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<Nanos> pause_delay_ = 0;
  std::atomic<Nanos> pause_length_ = 0;
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

}  // namespace tidemark
