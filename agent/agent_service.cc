#include "agent/agent_service.h"

#include <cstdio>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/machine.h"
#include "common/clock.h"
#include "common/control_address.h"
#include "common/inert_text.h"
#include "common/mutex.h"
#include "common/protocol_version.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

using Stream = grpc::ServerReaderWriter<proto::Event, proto::Command>;

std::uint64_t RandomIncarnation() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

// The dead man's handle: cancels the stream when the coordinator has been silent for the lease while we wait for it.
class Lease {
 public:
  explicit Lease(grpc::ServerContext* context) : context_(context), thread_([this] { Watch(); }) {}
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
    end_ = MonotonicNow() + kLeaseMillis * kMillisecond;
    SetDeadline(end_);
    const bool has_read = stream->Read(command);
    SetDeadline(kNone);
    // Who was stopped for longer finds old commands when it wakes, of a coordinator that has given it up.
    return has_read && MonotonicNow() <= end_;
  }
  // When the lease runs out that the last Read began.
  Nanos end() const { return end_; }

 private:
  static constexpr Nanos kNone = 0;

  void SetDeadline(Nanos deadline) {
    MutexLock lock(&mutex_);
    deadline_ = deadline;
  }
  void Watch() {
    MutexLock lock(&mutex_);
    while (!is_over_) {
      changed_.WaitFor(&mutex_, kLeaseMillis * kMillisecond / 20);
      if (deadline_ == kNone || MonotonicNow() < deadline_) continue;
      std::fprintf(stderr, "tidemark-agent: the coordinator was silent for %d s; its run is stopped\n",
                   kLeaseMillis / 1'000);
      context_->TryCancel();
      return;
    }
  }

  grpc::ServerContext* const context_;
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

absl::Status Obey(const proto::Command& command, LiveRun* run) {
  Session* const session = run->session.get();
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

absl::Status AgentService::OpenSession(const proto::Open& open, LiveRun* run) const {
  TIDEMARK_ASSIGN_OR_RETURN(run->session, Session::Open(open, options_.guard, incarnation_,
                                                        [run](const proto::Event& event) { run->Say(event); }));
  return absl::OkStatus();
}

grpc::Status AgentService::Execute(grpc::ServerContext* context, Stream* stream) {
  if (grpc::Status status = CheckPeer(context); !status.ok()) return status;
  proto::Command first;
  if (!stream->Read(&first)) return grpc::Status::OK;
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
    if (status.ok()) status = OpenSession(first.open(), run.get());
  }
  if (!Serve(run.get(), status, context, stream)) return grpc::Status::OK;
  run->session.reset();
  {
    MutexLock lock(&mutex_);
    live_.reset();
    busy_with_.clear();
  }
  if (options_.on_run_end) options_.on_run_end();
  return grpc::Status::OK;
}

// Obeys what comes over this stream; true if the run is over, false if another stream has taken it.
bool AgentService::Serve(LiveRun* run, absl::Status status, grpc::ServerContext* context, Stream* stream) {
  bool is_closed = false;
  Lease lease(context);
  proto::Command command;
  while (status.ok() && !is_closed && lease.Read(stream, &command)) {
    bool is_new = false;
    status = run->Hear(command, &is_new);
    is_closed = command.has_close();
    if (status.ok() && is_new) status = Obey(command, run);
  }
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
  // Its coordinator is told why, before the stream ends.
  run->Fail(absl::CancelledError(absl::StrCat("the run was stopped by ", context->peer())));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  run->Abandon();
  return grpc::Status::OK;
}

void AgentService::Shutdown() {
  MutexLock lock(&mutex_);
  if (live_ != nullptr) live_->Abandon();
}

void ConfigureServer(AgentService* service, grpc::ServerBuilder* builder) {
  builder->RegisterService(service);
  builder->SetMaxReceiveMessageSize(kMaxControlMessageBytes);
  builder->SetMaxSendMessageSize(kMaxControlMessageBytes);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port in use is an error
}

}  // namespace tidemark
