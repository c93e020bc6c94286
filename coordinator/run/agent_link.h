// The coordinator's end of one agent's stream.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/control/certs.h"
#include "common/mutex.h"
#include "protos/agent.pb.h"

namespace grpc {
class Channel;
}

namespace tidemark {

// Something that happened to the run.
struct RunEvent {
  enum class Kind { kEvent, kStreamEnd, kInterrupt, kLastPoint };  // kLastPoint: the run is to end after this point
  Kind kind = Kind::kEvent;
  std::size_t agent = 0;
  std::uint64_t link = 0;  // of the agent, by its id
  proto::Event event = {};
  std::string reason = {};  // of kStreamEnd
  Nanos received = 0;
  std::size_t bytes = 0;  // of `event`, about
};

// Where links and signals leave what happened. Threads: any.
class RunEvents {
 public:
  void Push(RunEvent event);
  // Waits while there is no room for it, as long as `is_wanted` holds: an agent may say more than anybody can hear.
  void PushWhenThereIsRoom(RunEvent event, const std::atomic<bool>& is_wanted);
  // Takes the oldest event; waits until `deadline`. Empty if there is none by then.
  std::optional<RunEvent> Pop(Nanos deadline);
  // Drops what links left behind, so that another run may follow; an interrupt stays.
  void EndRun();

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<RunEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One Execute stream, with a thread that reads it and one that writes it, so that an agent that does not read holds up
// nobody. Threads: one, besides its own.
class AgentLink {
 public:
  // Its events come with `id` as their link.
  AgentLink(std::size_t agent, std::shared_ptr<grpc::Channel> channel, RunEvents* events, std::uint64_t id = 0);
  ~AgentLink();  // ends the stream, waiting for the agent to do so for at most two seconds, or as CloseBy says

  // Will be written; if the stream breaks, the reason comes as kStreamEnd.
  void Send(proto::Command command);
  // Nothing more will be sent.
  void Finish();
  // Until when the end of the stream is waited for, an instant.
  void CloseBy(Nanos deadline);
  // Ends the stream at once.
  void Cancel();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

// Dials `address`, "HOST:PORT"; does not wait for the connection. With `certs` both ends show theirs, and the agent's
// must name `expected_name`, or the host itself if that is empty; without, in plain text.
std::shared_ptr<grpc::Channel> Dial(const std::string& address, const std::optional<ControlCerts>& certs,
                                    const std::string& expected_name);

// Asks an agent who it is, waiting at most until `deadline` (an instant).
// Errors: Unavailable saying what was tried.
absl::StatusOr<proto::DescribeResponse> Describe(const std::shared_ptr<grpc::Channel>& channel,
                                                 const std::string& address, Nanos deadline);

// Asks an agent what it had sent of the last point of `run`. Errors: NotFound if nobody there knows, or will; else
// Unavailable.
absl::StatusOr<proto::AccountResponse> AskForAccount(const std::shared_ptr<grpc::Channel>& channel,
                                                     const std::string& run, std::uint64_t incarnation, Nanos deadline);

// Ends run `run` at an agent, and says whether it had it, and is free again. Errors: Unavailable saying what was tried.
absl::StatusOr<proto::StopRunResponse> StopRun(const std::shared_ptr<grpc::Channel>& channel,
                                               const std::string& address, const std::string& run, Nanos deadline);

}  // namespace tidemark
