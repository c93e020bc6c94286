#include "coordinator/run/accounts.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/match.h"
#include "protos/agent.grpc.pb.h"

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
    const auto stub = proto::Agent::NewStub(agent.channel);
    proto::AccountRequest request;
    request.set_run(run_);
    request.set_incarnation(agent.incarnation);
    while (is_wanted_ && MonotonicNow() < deadline_) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::nanoseconds(std::min(kPatience, deadline_ - MonotonicNow())));
      proto::AccountResponse response;
      const grpc::Status status = stub->Account(&context, request, &response);
      if (status.ok() && !response.is_known()) return std::nullopt;
      if (status.ok() && response.has_ended()) return response;
      // No process is there any more, or one that does not know the question.
      if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED ||
          absl::StrContains(status.error_message(), "refused"))
        return std::nullopt;
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
