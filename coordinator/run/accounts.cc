#include "coordinator/run/accounts.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "absl/status/status.h"
#include "coordinator/run/agent_link.h"

namespace tidemark {
namespace {

constexpr Nanos kRetryInterval = 100 * kMillisecond;
// Of one attempt.
constexpr Nanos kPatience = 500 * kMillisecond;
constexpr std::size_t kMaxThreads = 64;

class Asking {
 public:
  Asking(const std::vector<LostAgent>& agents, const std::string& run, Nanos deadline)
      : agents_(agents), run_(run), deadline_(deadline), answers_(agents.size()) {
    const std::size_t count = std::min(kMaxThreads, agents.size());
    working_ = count;
    for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { Work(); });
  }
  bool IsDone() const { return working_ == 0; }
  std::vector<std::optional<proto::AccountResponse>> End() {
    is_wanted_ = false;
    for (std::thread& thread : threads_) thread.join();
    return std::move(answers_);
  }

 private:
  void Work() {
    for (std::size_t i = next_++; i < agents_.size(); i = next_++) answers_[i] = Ask(agents_[i]);
    --working_;
  }

  std::optional<proto::AccountResponse> Ask(const LostAgent& agent) const {
    while (is_wanted_ && MonotonicNow() < deadline_) {
      const Nanos deadline = std::min(deadline_, MonotonicNow() + kPatience);
      auto account = AskForAccount(agent.channel, run_, agent.incarnation, deadline);
      if (account.ok()) return *std::move(account);
      if (absl::IsNotFound(account.status())) break;
      std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryInterval));
    }
    return std::nullopt;
  }

  const std::vector<LostAgent>& agents_;
  const std::string& run_;
  const Nanos deadline_;
  std::vector<std::optional<proto::AccountResponse>> answers_;
  std::atomic<bool> is_wanted_ = true;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::size_t> working_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace

std::vector<std::optional<proto::AccountResponse>> AskForAccounts(const std::vector<LostAgent>& agents,
                                                                  const std::string& run, Nanos deadline,
                                                                  const std::function<bool(Nanos)>& wait) {
  Asking asking(agents, run, deadline);
  constexpr Nanos kTurn = 20 * kMillisecond;
  while (!asking.IsDone() && wait(kTurn)) {
  }
  return asking.End();
}

}  // namespace tidemark
