#include "coordinator/run/agent_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/control/address.h"
#include "common/inert_message.h"
#include "common/inert_text.h"
#include "coordinator/merge/claims.h"
#include "protos/agent.grpc.pb.h"

namespace tidemark {
namespace {

// An agent that does not end its stream by then is left alone.
constexpr Nanos kCloseGrace = 2 * kSecond;

// `deadline` is an instant of the monotonic clock.
void SetDeadline(Nanos deadline, grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::nanoseconds(std::max<Nanos>(0, deadline - MonotonicNow())));
}

}  // namespace

void RunEvents::Push(RunEvent event) {
  {
    MutexLock lock(&mutex_);
    bytes_ += event.bytes;
    events_.push_back(std::move(event));
  }
  changed_.NotifyAll();
}

void RunEvents::PushWhenThereIsRoom(RunEvent event, const std::atomic<bool>& is_wanted) {
  constexpr std::size_t kRoom = 32 << 20;
  constexpr Nanos kPatience = 20 * kMillisecond;
  {
    MutexLock lock(&mutex_);
    while (bytes_ > kRoom && is_wanted) changed_.WaitFor(&mutex_, kPatience);
    if (!is_wanted) return;
  }
  Push(std::move(event));
}

std::optional<RunEvent> RunEvents::Pop(Nanos deadline) {
  MutexLock lock(&mutex_);
  while (events_.empty()) {
    const Nanos left = deadline - MonotonicNow();
    if (left <= 0) return std::nullopt;
    changed_.WaitFor(&mutex_, left);
  }
  RunEvent event = std::move(events_.front());
  events_.pop_front();
  bytes_ -= event.bytes;
  return event;
}

void RunEvents::EndRun() {
  MutexLock lock(&mutex_);
  std::erase_if(events_, [](const RunEvent& event) { return event.kind != RunEvent::Kind::kInterrupt; });
  bytes_ = 0;
}

struct AgentLink::Stream {
  std::unique_ptr<proto::Agent::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<proto::Command, proto::Event>> stream;
  std::thread reader;
  std::thread writer;
  std::atomic<bool> is_wanted = true;
  Nanos close_by = 0;
  Mutex mutex;
  CondVar changed;
  bool has_ended ABSL_GUARDED_BY(mutex) = false;
  bool is_finished ABSL_GUARDED_BY(mutex) = false;  // by us
  std::deque<proto::Command> to_write ABSL_GUARDED_BY(mutex);

  void Read(std::size_t agent, std::uint64_t link, RunEvents* events) {
    // What a message takes beside its bytes on the wire.
    constexpr std::size_t kOverhead = 1'024;
    proto::Event event;
    while (stream->Read(&event)) {
      MakeInert(&event);
      const std::size_t bytes = 2 * event.ByteSizeLong() + kOverhead;
      events->PushWhenThereIsRoom({.kind = RunEvent::Kind::kEvent,
                                   .agent = agent,
                                   .link = link,
                                   .event = std::move(event),
                                   .received = MonotonicNow(),
                                   .bytes = bytes},
                                  is_wanted);
      event.Clear();
    }
    const grpc::Status status = stream->Finish();
    const std::string reason = status.ok() ? "the agent ended the stream"
                                           : absl::StrCat("the stream broke: ", InertLine(status.error_message()));
    events->Push({.kind = RunEvent::Kind::kStreamEnd,
                  .agent = agent,
                  .link = link,
                  .reason = reason,
                  .received = MonotonicNow()});
    MutexLock lock(&mutex);
    has_ended = true;
    changed.NotifyAll();
  }

  void Write() {
    while (true) {
      proto::Command command;
      {
        MutexLock lock(&mutex);
        while (to_write.empty() && !is_finished && !has_ended) changed.Wait(&mutex);
        if (has_ended) return;
        if (to_write.empty()) break;
        command = std::move(to_write.front());
        to_write.pop_front();
      }
      if (!stream->Write(command)) return;
    }
    stream->WritesDone();
  }
};

AgentLink::AgentLink(std::size_t agent, std::shared_ptr<grpc::Channel> channel, RunEvents* events, std::uint64_t id)
    : stream_(std::make_unique<Stream>()) {
  stream_->stub = proto::Agent::NewStub(channel);
  stream_->stream = stream_->stub->Execute(&stream_->context);
  stream_->reader = std::thread([raw = stream_.get(), agent, id, events] { raw->Read(agent, id, events); });
  stream_->writer = std::thread([raw = stream_.get()] { raw->Write(); });
}

AgentLink::~AgentLink() {
  Finish();
  {
    MutexLock lock(&stream_->mutex);
    const Nanos deadline = stream_->close_by != 0 ? stream_->close_by : MonotonicNow() + kCloseGrace;
    while (!stream_->has_ended && MonotonicNow() < deadline)
      stream_->changed.WaitFor(&stream_->mutex, deadline - MonotonicNow());
  }
  stream_->is_wanted = false;
  stream_->context.TryCancel();
  stream_->reader.join();
  stream_->writer.join();
}

void AgentLink::Finish() {
  MutexLock lock(&stream_->mutex);
  stream_->is_finished = true;
  stream_->changed.NotifyAll();
}

void AgentLink::CloseBy(Nanos deadline) { stream_->close_by = deadline; }

void AgentLink::Cancel() { stream_->context.TryCancel(); }

void AgentLink::Send(proto::Command command) {
  MutexLock lock(&stream_->mutex);
  if (stream_->is_finished || stream_->has_ended) return;
  stream_->to_write.push_back(std::move(command));
  stream_->changed.NotifyAll();
}

std::shared_ptr<grpc::Channel> Dial(const std::string& address, const std::optional<ControlCerts>& certs,
                                    const std::string& expected_name) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxControlMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxControlMessageBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // a ping for each shard; heartbeats see who is there
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);  // memory per agent that nobody looks at
  arguments.SetInt(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);  // a lease is short
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (certs) {
    credentials = grpc::SslCredentials(
        {.pem_root_certs = certs->ca, .pem_private_key = certs->key, .pem_cert_chain = certs->cert});
    if (!expected_name.empty()) arguments.SetSslTargetNameOverride(expected_name);
  }
  return grpc::CreateCustomChannel(absl::StrCat("dns:///", address), credentials, arguments);
}

absl::StatusOr<proto::StopRunResponse> StopRun(const std::shared_ptr<grpc::Channel>& channel,
                                               const std::string& address, const std::string& run, Nanos deadline) {
  grpc::ClientContext context;
  SetDeadline(deadline, &context);
  proto::StopRunRequest request;
  request.set_run(run);
  proto::StopRunResponse response;
  const grpc::Status status = proto::Agent::NewStub(channel)->StopRun(&context, request, &response);
  if (status.ok()) return response;
  return absl::UnavailableError(absl::StrCat("agent ", address, " does not stop: ", InertLine(status.error_message())));
}

absl::StatusOr<proto::AccountResponse> AskForAccount(const std::shared_ptr<grpc::Channel>& channel,
                                                     const std::string& run, std::uint64_t incarnation,
                                                     Nanos deadline) {
  grpc::ClientContext context;
  SetDeadline(deadline, &context);
  proto::AccountRequest request;
  request.set_run(run);
  request.set_incarnation(incarnation);
  proto::AccountResponse response;
  const grpc::Status status = proto::Agent::NewStub(channel)->Account(&context, request, &response);
  if (status.ok() && response.has_ended()) return response;
  // No process is there any more, one that does not know the run, or not even the question.
  const bool is_in_vain = status.ok() ? !response.is_known()
                                      : status.error_code() == grpc::StatusCode::UNIMPLEMENTED ||
                                            absl::StrContains(status.error_message(), "refused");
  if (is_in_vain) return absl::NotFoundError("nobody knows");
  return absl::UnavailableError("not yet");
}

absl::StatusOr<proto::DescribeResponse> Describe(const std::shared_ptr<grpc::Channel>& channel,
                                                 const std::string& address, Nanos deadline) {
  grpc::ClientContext context;
  SetDeadline(deadline, &context);
  proto::DescribeResponse response;
  const grpc::Status status = proto::Agent::NewStub(channel)->Describe(&context, {}, &response);
  if (status.ok()) {
    MakeInert(&response);
    if (const absl::Status claims = CheckDescription(response); !claims.ok())
      return absl::FailedPreconditionError(absl::StrCat("agent ", address, " cannot be: ", claims.message()));
    return response;
  }
  return absl::UnavailableError(absl::StrCat("agent ", address, " does not answer: ", InertLine(status.error_message()),
                                             "; is tidemark-agent running there, is the port right, and do both "
                                             "ends use certificates of one authority, or none?"));
}

}  // namespace tidemark
