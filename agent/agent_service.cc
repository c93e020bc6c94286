#include "agent/agent_service.h"

#include <cstdio>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/machine.h"
#include "agent/session.h"
#include "common/clock.h"
#include "common/control_address.h"
#include "common/mutex.h"

namespace tidemark {
namespace {

using Stream = grpc::ServerReaderWriter<proto::Event, proto::Command>;

std::uint64_t RandomIncarnation() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

// The exit code with which the coordinator should end, see README "Exit codes".
int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
      return 1;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnavailable:
      return 2;
    case absl::StatusCode::kNotFound:
      return 5;
    default:
      return 70;
  }
}

// Serialises writers: events come from the session's thread and from the reader.
class EventWriter {
 public:
  explicit EventWriter(Stream* stream) : stream_(stream) {}
  void Write(const proto::Event& event) {
    MutexLock lock(&mutex_);
    stream_->Write(event);  // a broken stream shows in Read, which ends the run
  }
  void Fail(const absl::Status& status) {
    proto::Event event;
    event.mutable_failure()->set_exit_code(ExitCodeOf(status));
    event.mutable_failure()->set_message(std::string(status.message()));
    Write(event);
  }

 private:
  Stream* const stream_;
  Mutex mutex_;
};

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
    SetDeadline(MonotonicNow() + kLeaseMillis * kMillisecond);
    const bool has_read = stream->Read(command);
    SetDeadline(kNone);
    return has_read;
  }

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
  Mutex mutex_;
  CondVar changed_;
  Nanos deadline_ GUARDED_BY(mutex_) = kNone;
  bool is_over_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

absl::Status CheckOpen(const proto::Command& command) {
  if (!command.has_open()) return absl::FailedPreconditionError("the coordinator did not open a run");
  const std::uint32_t version = command.open().protocol_version();
  if (version == kProtocolVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the coordinator speaks protocol ", version,
                                                    ", this agent (tidemark ", TIDEMARK_VERSION, ") speaks ",
                                                    kProtocolVersion, "; install the same version on both"));
}

absl::Status Obey(const proto::Command& command, Session* session, EventWriter* writer) {
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
      writer->Write(event);
      return absl::OkStatus();
    }
    case proto::Command::kOpen:
      return absl::FailedPreconditionError("the run is open already");
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
    absl::StrAppend(&names, names.empty() ? "" : " ", text.substr(0, 253));
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
  MutexLock lock(&mutex_);
  response->set_busy_with(busy_with_);
  return grpc::Status::OK;
}

grpc::Status AgentService::Execute(grpc::ServerContext* context, Stream* stream) {
  if (grpc::Status status = CheckPeer(context); !status.ok()) return status;
  EventWriter writer(stream);
  proto::Command command;
  if (!stream->Read(&command)) return grpc::Status::OK;
  if (const absl::Status status = CheckOpen(command); !status.ok()) {
    writer.Fail(status);
    return grpc::Status::OK;
  }
  {
    MutexLock lock(&mutex_);
    if (!busy_with_.empty()) {
      writer.Fail(absl::UnavailableError(
          absl::StrCat("the agent is busy with ", busy_with_, "; wait for it to end or use another agent")));
      return grpc::Status::OK;
    }
    busy_with_ =
        absl::StrCat("run ", command.open().run(), " of ", command.open().coordinator(), " (", context->peer(), ")");
  }
  {
    auto session = Session::Open(command.open(), options_.guard, incarnation_,
                                 [&writer](const proto::Event& event) { writer.Write(event); });
    absl::Status status = session.status();
    Lease lease(context);
    while (status.ok() && lease.Read(stream, &command)) status = Obey(command, session->get(), &writer);
    if (!status.ok()) writer.Fail(status);
  }
  {
    MutexLock lock(&mutex_);
    busy_with_.clear();
  }
  if (options_.on_run_end) options_.on_run_end();
  return grpc::Status::OK;
}

void ConfigureServer(AgentService* service, grpc::ServerBuilder* builder) {
  builder->RegisterService(service);
  builder->SetMaxReceiveMessageSize(kMaxControlMessageBytes);
  builder->SetMaxSendMessageSize(kMaxControlMessageBytes);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMillis);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepAliveTimeoutMillis);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kKeepAliveMillis / 2);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port in use is an error
}

}  // namespace tidemark
