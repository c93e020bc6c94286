#include "agent/control/agent_service.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/host/machine.h"
#include "common/clock.h"
#include "common/control/address.h"
#include "common/control/protocol_version.h"
#include "common/inert_text.h"
#include "common/mutex.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

using Stream = grpc::ServerReaderWriter<proto::Event, proto::Command>;

std::uint64_t RandomIncarnation() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

// The dead man's handle: cancels the stream when the coordinator has been silent for `length` while we wait for it, and
// says `what` then.
class Lease {
 public:
  // `shown`, if there is one, is its end while it is waited for.
  Lease(grpc::ServerContext* context, Nanos length, std::string what, std::atomic<Nanos>* shown = nullptr)
      : context_(context), length_(length), what_(std::move(what)), shown_(shown), thread_([this] { Watch(); }) {}
  ~Lease() {
    {
      MutexLock lock(&mutex_);
      is_over_ = true;
    }
    changed_.NotifyAll();
    thread_.join();
  }
  // Reads the next command; false if the stream ended or the lease ran out.
  bool Read(Stream* stream, proto::Command* command) {
    end_ = MonotonicNow() + length_;
    Show(end_);
    SetDeadline(end_);
    const bool has_read = stream->Read(command);
    SetDeadline(kNone);
    // Who was stopped for longer finds old commands when it wakes, of a coordinator that has given it up.
    if (!has_read || MonotonicNow() > end_) return false;
    Show(std::numeric_limits<Nanos>::max());
    return true;
  }
  // When the lease runs out that the last Read began.
  Nanos end() const { return end_; }

 private:
  static constexpr Nanos kNone = 0;

  void Show(Nanos end) {
    if (shown_ != nullptr) shown_->store(end, std::memory_order_relaxed);
  }
  void SetDeadline(Nanos deadline) {
    MutexLock lock(&mutex_);
    deadline_ = deadline;
  }
  void Watch() {
    MutexLock lock(&mutex_);
    while (!is_over_) {
      changed_.WaitFor(&mutex_, length_ / 20);
      if (deadline_ == kNone || MonotonicNow() < deadline_) continue;
      std::fprintf(stderr, "tidemark-agent: %s\n", what_.c_str());
      context_->TryCancel();
      return;
    }
  }

  grpc::ServerContext* const context_;
  const Nanos length_;
  const std::string what_;
  std::atomic<Nanos>* const shown_;
  Nanos end_ = 0;
  Mutex mutex_;
  CondVar changed_;
  Nanos deadline_ ABSL_GUARDED_BY(mutex_) = kNone;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

absl::Status CheckOpen(const proto::Command& command) {
  if (!command.has_open()) return absl::FailedPreconditionError("the coordinator did not open a run");
  const std::uint32_t version = command.open().protocol_version();
  if (version == kProtocolVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the coordinator speaks protocol ", ProtocolName(version), ", this agent (tidemark ", TIDEMARK_VERSION,
      ") speaks ", ProtocolName(kProtocolVersion), "; install the same version on both"));
}

// Who stops a run waits so long to hear that the agent is free, less than the caller waits for the answer.
constexpr Nanos kStopLimit = 2 * kSecond;
// When the agent is told to end: for what is in flight, with the final shard.
constexpr Nanos kDrainLimit = kSecond;
constexpr std::size_t kMaxWaiting = 16;
// Runs whose accounts are kept.
constexpr std::size_t kMaxEnded = 8;
// Streams and questions together: each holds a thread.
constexpr int kMaxServerThreads = 256;

// Of a run that is being opened, only a ping is obeyed at once.
absl::Status Obey(const proto::Command& command, LiveRun* run) {
  Session* session = nullptr;
  if (!command.has_ping() && !command.has_close()) {
    if (!run->WaitUntilOpen(INT64_MAX)) return absl::OkStatus();  // its coordinator is told why
    session = run->session.get();
  }
  switch (command.kind_case()) {
    case proto::Command::kPrepare:
      return session->Prepare(command.prepare());
    case proto::Command::kArm:
      return session->Arm(command.arm());
    case proto::Command::kStop:
      session->Stop();
      return absl::OkStatus();
    case proto::Command::kFinish:
      session->Finish();
      return absl::OkStatus();
    case proto::Command::kPing: {
      proto::Event event;
      event.mutable_pong()->set_id(command.ping().id());
      event.mutable_pong()->set_agent_ns(MonotonicNow());
      command.number() == 0 ? run->SayOnce(std::move(event)) : run->Say(std::move(event));
      return absl::OkStatus();
    }
    case proto::Command::kOpen:
    case proto::Command::kResume:
      return absl::FailedPreconditionError("the run is open already");
    case proto::Command::kClose:
      return absl::OkStatus();
    case proto::Command::KIND_NOT_SET:
      return absl::FailedPreconditionError("an unknown command; install the same version on both");
  }
  return absl::OkStatus();
}

}  // namespace

AgentService::AgentService(Options options) : options_(std::move(options)), incarnation_(RandomIncarnation()) {}

// The handshake has shown that the authority signed the peer; here, that it signed it as a coordinator.
grpc::Status AgentService::CheckPeer(const grpc::ServerContext* context) const {
  if (context == nullptr || options_.allowed_coordinator.empty()) return grpc::Status::OK;  // null: asked in process
  std::string names;
  for (const grpc::string_ref& name : context->auth_context()->FindPropertyValues("x509_subject_alternative_name")) {
    const std::string text(name.data(), name.size());
    if (text == options_.allowed_coordinator) return grpc::Status::OK;
    absl::StrAppend(&names, names.empty() ? "" : " ", InertName(text));
  }
  std::fprintf(stderr, "tidemark-agent: refused %s: its certificate names %s, not %s (--allow-coordinator)\n",
               context->peer().c_str(), names.empty() ? "nobody" : names.c_str(), options_.allowed_coordinator.c_str());
  return {grpc::StatusCode::PERMISSION_DENIED,
          absl::StrCat("this coordinator's certificate names ", names.empty() ? "nobody" : names, ", the agent obeys ",
                       options_.allowed_coordinator)};
}

grpc::Status AgentService::Describe(grpc::ServerContext* context, const proto::DescribeRequest*,
                                    proto::DescribeResponse* response) {
  if (grpc::Status status = CheckPeer(context); !status.ok()) return status;
  response->set_protocol_version(kProtocolVersion);
  response->set_version(TIDEMARK_VERSION);
  response->set_cores(UsableCores());
  response->set_descriptor_limit(ConnectionLimit());
  response->set_local_ports(LocalPorts());
  response->set_incarnation(incarnation_);
  for (const std::string& address : LocalAddresses()) response->add_addresses(address);
  response->set_is_insecure(options_.is_insecure);
  response->set_monotonic_ns(static_cast<std::uint64_t>(MonotonicNow()));
  response->set_load_percent(LoadPercent());
  MutexLock lock(&mutex_);
  response->set_busy_with(busy_with_);
  return grpc::Status::OK;
}

absl::StatusOr<std::shared_ptr<LiveRun>> AgentService::Begin(const proto::Open& open, const std::string& peer) {
  MutexLock lock(&mutex_);
  if (is_shut_down_) return absl::UnavailableError("the agent is ending");
  if (!busy_with_.empty()) {
    return absl::UnavailableError(
        absl::StrCat("the agent is busy with ", busy_with_, "; wait for it to end or use another agent"));
  }
  busy_with_ = absl::StrCat("run ", open.run(), " of ", open.coordinator(), " (", peer, ")");
  live_ = std::make_shared<LiveRun>(open.run(), incarnation_);
  return live_;
}

absl::StatusOr<std::shared_ptr<LiveRun>> AgentService::Find(const proto::Resume& resume) {
  MutexLock lock(&mutex_);
  if (live_ != nullptr && live_->Is(resume.run(), resume.incarnation())) return live_;
  return absl::UnavailableError(absl::StrCat("the agent no longer has run ", InertText(resume.run(), 64),
                                             ": it was restarted, or its lease of ", kLeaseMillis / 1'000,
                                             " s ran out"));
}

void AgentService::OpenSession(proto::Open open, LiveRun* run) const {
  run->Open(options_.open_limit, [this, run, open = std::move(open)](const Patience& patience) {
    return Session::Open(
        open, options_.guard, incarnation_, [run](const proto::Event& event) { run->Say(event); }, patience,
        &run->lease);
  });
}

// Each stream holds a thread, and may hold the largest of messages: few may wait, and none for long. Of the connection
// that has the most of them the oldest makes room, so that an honest coordinator, which has one, is not driven out
// before its first word is read.
void AgentService::MakeRoom() {
  std::map<std::string, int> waiting;
  for (const grpc::ServerContext* context : waiting_) ++waiting[context->peer()];
  const auto oldest = std::max_element(waiting_.begin(), waiting_.end(), [&waiting](const auto* a, const auto* b) {
    return waiting[a->peer()] < waiting[b->peer()];
  });
  (*oldest)->TryCancel();
  waiting_.erase(oldest);
}

grpc::Status AgentService::ReadFirst(grpc::ServerContext* context, Stream* stream, proto::Command* command) {
  {
    MutexLock lock(&mutex_);
    if (waiting_.size() == kMaxWaiting) MakeRoom();
    waiting_.push_back(context);
  }
  bool has_read = false;
  {
    Lease lease(context, options_.first_command_limit,
                absl::StrCat(context->peer(), " began a stream and said nothing"));
    has_read = lease.Read(stream, command);
  }
  MutexLock lock(&mutex_);
  waiting_.remove(context);
  return has_read ? grpc::Status::OK : grpc::Status(grpc::StatusCode::CANCELLED, "no command came");
}

bool AgentService::IsLive(const LiveRun* run) {
  MutexLock lock(&mutex_);
  return live_.get() == run;
}

grpc::Status AgentService::Execute(grpc::ServerContext* context, Stream* stream) {
  if (grpc::Status status = CheckPeer(context); !status.ok()) return status;
  proto::Command first;
  if (grpc::Status status = ReadFirst(context, stream, &first); !status.ok()) return status;
  // What is shown to others, and logged; the plan is sent as it is.
  if (first.has_open()) {
    first.mutable_open()->set_run(InertName(first.open().run()));
    first.mutable_open()->set_coordinator(InertName(first.open().coordinator()));
  }
  const bool is_resumed = first.has_resume();
  if (const absl::Status status = is_resumed ? absl::OkStatus() : CheckOpen(first); !status.ok()) {
    stream->Write(FailureEvent(status));
    return grpc::Status::OK;
  }
  auto found = is_resumed ? Find(first.resume()) : Begin(first.open(), context->peer());
  if (!found.ok()) {
    stream->Write(FailureEvent(found.status()));
    return grpc::Status::OK;
  }
  const std::shared_ptr<LiveRun> run = *std::move(found);
  proto::Event greeting;
  greeting.mutable_resumed();
  LiveRun::Stream end{.write = [stream](const proto::Event& event) { stream->Write(event); },
                      .cancel = [context] { context->TryCancel(); }};
  if (!run->Attach(std::move(end), first.heard(), is_resumed ? &greeting : nullptr)) {
    stream->Write(FailureEvent(absl::UnavailableError("the agent has just given the run up")));
    return grpc::Status::OK;
  }
  absl::Status status;
  if (!is_resumed) {
    bool is_new = false;
    status = run->Hear(first, &is_new);
    if (status.ok()) OpenSession(std::move(*first.mutable_open()), run.get());
  }
  if (!Serve(run.get(), status, context, stream)) return grpc::Status::OK;
  const std::optional<Session::Account> account = run->End();
  {
    MutexLock lock(&mutex_);
    if (account) ended_.push_back({.id = run->id(), .account = *account});
    if (ended_.size() > kMaxEnded) ended_.pop_front();
    live_.reset();
    busy_with_.clear();
  }
  if (options_.on_run_end) options_.on_run_end();
  return grpc::Status::OK;
}

// Obeys what comes over this stream; true if the run is over, false if another stream has taken it.
bool AgentService::Serve(LiveRun* run, absl::Status status, grpc::ServerContext* context, Stream* stream) {
  bool is_closed = false;
  Lease lease(context, options_.lease,
              absl::StrCat("the coordinator was silent for ", options_.lease / kSecond, " s; its run is stopped"),
              &run->lease);
  proto::Command command;
  while (status.ok() && !is_closed && lease.Read(stream, &command)) {
    bool is_new = false;
    status = run->Hear(command, &is_new);
    is_closed = command.has_close();
    if (status.ok() && is_new) status = Obey(command, run);
  }
  // Who says all he has to say at once, and leaves, hears all the same why his run cannot be opened.
  if (status.ok() && !is_closed && !context->IsCancelled() && !run->WaitUntilOpen(lease.end())) is_closed = true;
  if (!status.ok()) run->Fail(status);
  run->Detach(is_closed || !status.ok());
  return !run->WaitForTakeover(lease.end());
}

grpc::Status AgentService::StopRun(grpc::ServerContext* context, const proto::StopRunRequest* request,
                                   proto::StopRunResponse* response) {
  if (grpc::Status status = CheckPeer(context); !status.ok()) return status;
  std::shared_ptr<LiveRun> run;
  {
    MutexLock lock(&mutex_);
    if (live_ != nullptr && live_->Is(request->run())) run = live_;
  }
  response->set_is_stopped(run != nullptr);
  if (run == nullptr) return grpc::Status::OK;
  std::fprintf(stderr, "tidemark-agent: run %s is stopped, as %s asks\n", InertName(request->run()).c_str(),
               context->peer().c_str());
  // Its coordinator is told of all that was sent, and why that is the end, before the stream ends.
  run->Drain(kDrainLimit);
  run->Fail(absl::CancelledError(absl::StrCat("the run was stopped by ", context->peer())));
  const Patience patience(shutdown_, MonotonicNow() + kStopLimit);
  patience.Sleep(LiveRun::kLeave);
  run->Abandon();
  while (IsLive(run.get()) && !patience.IsOver()) patience.Sleep(10 * kMillisecond);
  response->set_has_ended(!IsLive(run.get()));
  return grpc::Status::OK;
}

grpc::Status AgentService::Account(grpc::ServerContext* context, const proto::AccountRequest* request,
                                   proto::AccountResponse* response) {
  if (grpc::Status status = CheckPeer(context); !status.ok()) return status;
  if (request->incarnation() != incarnation_) return grpc::Status::OK;
  MutexLock lock(&mutex_);
  if (live_ != nullptr && live_->Is(request->run())) {
    response->set_is_known(true);
    return grpc::Status::OK;
  }
  for (const EndedRun& run : ended_) {
    if (run.id != request->run()) continue;
    response->set_is_known(true);
    response->set_has_ended(true);
    response->set_point(run.account.point);
    response->set_attempt(run.account.attempt);
    response->set_sent(run.account.sent);
  }
  return grpc::Status::OK;
}

void AgentService::Shutdown() {
  std::shared_ptr<LiveRun> run;
  {
    MutexLock lock(&mutex_);
    is_shut_down_ = true;
    run = live_;
  }
  if (run != nullptr) {
    run->Drain(kDrainLimit);
    run->Fail(absl::UnavailableError("the agent was told to end"));
    const Patience patience(shutdown_, MonotonicNow() + LiveRun::kLeave);
    while (IsLive(run.get()) && !patience.IsOver()) patience.Sleep(5 * kMillisecond);
    run->Abandon();
  }
  shutdown_->Trigger();
}

void ConfigureServer(AgentService* service, grpc::ServerBuilder* builder) {
  builder->RegisterService(service);
  builder->SetMaxReceiveMessageSize(kMaxControlMessageBytes);
  builder->SetMaxSendMessageSize(kMaxControlMessageBytes);
  grpc::ResourceQuota quota("tidemark-agent");
  quota.SetMaxThreads(kMaxServerThreads);
  builder->SetResourceQuota(quota);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port in use is an error
}

}  // namespace tidemark
