#include "coordinator/store/journal.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/control/protocol_version.h"
#include "common/control/user_folder.h"
#include "common/plan/sweep.h"
#include "common/plan/validate.h"
#include "common/stats/histogram_codec.h"
#include "common/stats/metric.h"
#include "common/status_macros.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

// Its records hold counters and histograms as shards do.
std::string Header() { return absl::StrCat("tidemark-journal ", ProtocolName(kProtocolVersion), "\n"); }
constexpr std::size_t kMaxAgents = 100'000;

// Plays a journal's records, in their order, into the result of the run that wrote them.
class Replay {
 public:
  absl::Status Add(const proto::JournalRecord& record) {
    if (!has_run_ && !record.has_run()) return Bad("it does not begin with its run");
    switch (record.kind_case()) {
      case proto::JournalRecord::kRun:
        return Begin(record.run());
      case proto::JournalRecord::kPoint:
        return BeginPoint(record.point());
      case proto::JournalRecord::kStart:
        return Start(record.start());
      case proto::JournalRecord::kShard:
        return AddShard(record.shard());
      case proto::JournalRecord::kLoss:
        return Lose(record.loss());
      case proto::JournalRecord::kPointEnd:
        return EndPoint(record.point_end());
      case proto::JournalRecord::kRunEnd:
        return End(record.run_end());
      case proto::JournalRecord::kAccount:
        return Account(record.account());
      case proto::JournalRecord::KIND_NOT_SET:
        break;
    }
    return Bad("it has a record that this version does not know");
  }

  // The journal ends here.
  JournaledRun Take() {
    if (!run_.is_whole) {
      if (has_point_) static_cast<void>(EndPoint(proto::JournalPointEnd()));
      NoteUnaccounted(run_.plan, &run_.result);
      run_.result.Note(kExitAccounting, "the journal ends before the run: what follows did not arrive");
    }
    return std::move(run_);
  }

 private:
  static absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

  absl::Status Begin(const proto::JournalRun& in) {
    if (has_run_) return Bad("it has two runs");
    TIDEMARK_RETURN_IF_ERROR(ValidatePlan(in.plan()));
    if (in.agents().empty() || static_cast<std::size_t>(in.agents_size()) > kMaxAgents)
      return Bad("its number of agents is out of range");
    has_run_ = true;
    run_.plan = in.plan();
    run_.result.run = in.run();
    run_.result.started_at = in.started_at();
    run_.result.started_wall_s = in.started_wall_s();
    run_.result.agents.assign(in.agents().begin(), in.agents().end());
    return absl::OkStatus();
  }

  absl::Status BeginPoint(const proto::JournalPoint& in) {
    const auto agents = run_.result.agents.size();
    if (has_point_) return Bad("a point begins before the last one has ended");
    if (in.point() >= static_cast<std::uint32_t>(PointCount(run_.plan.sweep())))
      return Bad("a point is not in its plan");
    if (static_cast<std::size_t>(in.shares_size()) != agents ||
        static_cast<std::size_t>(in.request_shares_size()) != agents)
      return Bad("a point's shares are not one for each agent");
    PointResult& point = run_.result.points.emplace_back();
    has_point_ = true;
    point.index = in.point();
    point.connections = in.connections();
    point.rate = in.rate_per_s();
    point.attempt = in.attempt();
    point.shares.assign(in.shares().begin(), in.shares().end());
    point.request_shares.assign(in.request_shares().begin(), in.request_shares().end());
    point.merger = MakeMerger(run_.plan, agents);
    for (const std::uint32_t agent : in.left_out()) {
      if (agent >= agents) return Bad("a point leaves out an agent that there is not");
      point.merger->LeaveOut(agent);
    }
    return absl::OkStatus();
  }

  absl::Status Start(const proto::JournalStart& in) {
    if (!has_point_) return Bad("a start without a point");
    PointResult& point = run_.result.points.back();
    point.is_started = true;
    point.connections_up = in.connections_up();
    point.start_offset = in.start_offset_ns();
    point.start_skew_bound = in.start_skew_bound_ns();
    return AddWarmup(in.warmup(), in.connects(), in.statuses(), in.addresses(), 0, &point);
  }

  absl::Status AddShard(const proto::Shard& shard) {
    if (!has_point_ || shard.key().agent() >= run_.result.agents.size()) return Bad("a shard of no point or agent");
    ++run_.result.shards;
    return run_.result.points.back().merger->Apply(shard);
  }

  absl::Status Lose(const proto::JournalLoss& in) {
    if (in.agent() >= run_.result.agents.size()) return Bad("an agent is lost that there is not");
    run_.result.agents[in.agent()].set_lost(in.why());
    run_.result.Note(in.exit_code(), in.note());
    if (!has_point_) return absl::OkStatus();
    PointResult& point = run_.result.points.back();
    point.merger->Lose(in.agent());
    point.departures[in.agent()] = {.likely = in.likely_gone_ns(), .latest = in.surely_gone_ns()};
    if (in.has_ended_early()) point.early.insert(in.agent());
    return absl::OkStatus();
  }

  absl::Status EndPoint(const proto::JournalPointEnd& in) {
    if (!has_point_) return Bad("a point ends twice");
    PointResult& point = run_.result.points.back();
    point.is_interrupted = in.is_interrupted();
    point.is_precise = in.is_precise();
    ClosePoint(&point, in.is_abandoned() ? kExitOk : kExitAccounting, &run_.result);
    has_point_ = false;
    if (!in.is_abandoned()) return absl::OkStatus();
    run_.result.abandoned.push_back(std::move(point));
    run_.result.points.pop_back();
    return absl::OkStatus();
  }

  absl::Status Account(const proto::JournalAccount& in) {
    if (has_point_) return Bad("an agent is asked again within a point");
    proto::AccountResponse account;
    account.set_point(in.point());
    account.set_attempt(in.attempt());
    account.set_sent(in.sent());
    if (in.agent() >= run_.result.agents.size() || !TakeAccount(run_.plan, in.agent(), account, &run_.result))
      return Bad("an account is of no point, or cannot be");
    return absl::OkStatus();
  }

  absl::Status End(const proto::JournalRunEnd& in) {
    if (has_point_) return Bad("the run ends within a point");
    NoteUnaccounted(run_.plan, &run_.result);
    if (static_cast<std::size_t>(in.agents_size()) != run_.result.agents.size())
      return Bad("the run ends with other agents");
    run_.result.shards = in.shards();
    run_.result.duplicates = in.duplicates();
    run_.result.rejected = in.rejected();
    run_.result.exit_code = in.exit_code();
    run_.result.notes.assign(in.notes().begin(), in.notes().end());
    run_.result.agents.assign(in.agents().begin(), in.agents().end());
    run_.is_whole = true;
    return absl::OkStatus();
  }

  JournaledRun run_;
  bool has_run_ = false;
  bool has_point_ = false;  // the last of the result's points is not closed
};

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Create(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code ignored;  // the open below tells
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  constexpr int kOwnerOnly = 0600;  // a plan may hold what others need not read
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, kOwnerOnly);
  if (fd < 0)
    return absl::NotFoundError(absl::StrCat("--journal: '", path, "' cannot be made: ", std::strerror(errno)));
  const std::string header = Header();
  if (write(fd, header.data(), header.size()) != static_cast<ssize_t>(header.size())) {
    close(fd);
    return absl::NotFoundError(absl::StrCat("--journal: '", path, "' cannot be written: ", std::strerror(errno)));
  }
  return std::unique_ptr<Journal>(new Journal(path, fd));
}

Journal::~Journal() { close(fd_); }

void Journal::Write(const proto::JournalRecord& record) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream out(&bytes);
    google::protobuf::util::SerializeDelimitedToZeroCopyStream(record, &out);
  }
  // After a record that is missing, others would make no sense.
  const bool has_room = dropped_ == 0 && bytes_ + bytes.size() <= kMaxBytes;
  if (!has_room || write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    ++dropped_;
    return;
  }
  bytes_ += bytes.size();
}

void Journal::Begin(const RunResult& result, const proto::Plan& plan) {
  proto::JournalRecord record;
  proto::JournalRun* const run = record.mutable_run();
  run->set_run(result.run);
  run->set_started_at(result.started_at);
  run->set_started_wall_s(result.started_wall_s);
  *run->mutable_plan() = plan;
  run->mutable_agents()->Assign(result.agents.begin(), result.agents.end());
  Write(record);
}

void Journal::BeginPoint(std::uint32_t index, const PointResult& point) {
  proto::JournalRecord record;
  proto::JournalPoint* const out = record.mutable_point();
  out->set_point(index);
  out->set_attempt(point.attempt);
  out->set_connections(point.connections);
  out->set_rate_per_s(point.rate);
  for (const std::int64_t share : point.shares) out->add_shares(share);
  for (const std::int64_t share : point.request_shares) out->add_request_shares(share);
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    if (point.merger->agents()[i].is_final) out->add_left_out(static_cast<std::uint32_t>(i));
  }
  Write(record);
}

void Journal::Start(const PointResult& point) {
  proto::JournalRecord record;
  proto::JournalStart* const out = record.mutable_start();
  out->set_connections_up(point.connections_up);
  tidemark::ToProto(point.warmup, Pending(), out->mutable_warmup());
  for (const auto& [metric, histogram] : point.warmup_connects)
    tidemark::ToProto(histogram, static_cast<std::uint32_t>(metric), out->add_connects());
  point.warmup_statuses.ToProto(out->mutable_statuses());
  point.warmup_addresses.ToProto(out->mutable_addresses());
  out->set_start_offset_ns(point.start_offset);
  out->set_start_skew_bound_ns(point.start_skew_bound);
  Write(record);
}

void Journal::Add(proto::Shard* shard) {
  proto::JournalRecord record;
  record.mutable_shard()->Swap(shard);
  Write(record);
  record.mutable_shard()->Swap(shard);
}

void Journal::Lose(std::size_t agent, const std::string& why, int exit_code, const std::string& note,
                   const Departure& departure, bool has_ended_early) {
  proto::JournalRecord record;
  proto::JournalLoss* const loss = record.mutable_loss();
  loss->set_agent(static_cast<std::uint32_t>(agent));
  loss->set_why(why);
  loss->set_exit_code(exit_code);
  loss->set_note(note);
  loss->set_likely_gone_ns(departure.likely);
  loss->set_surely_gone_ns(departure.latest);
  loss->set_has_ended_early(has_ended_early);
  Write(record);
}

void Journal::Account(std::size_t agent, const proto::AccountResponse& account) {
  proto::JournalRecord record;
  record.mutable_account()->set_point(account.point());
  record.mutable_account()->set_attempt(account.attempt());
  record.mutable_account()->set_agent(static_cast<std::uint32_t>(agent));
  record.mutable_account()->set_sent(account.sent());
  Write(record);
}

void Journal::EndPoint(const PointResult& point, bool is_abandoned) {
  proto::JournalRecord record;
  record.mutable_point_end()->set_is_interrupted(point.is_interrupted);
  record.mutable_point_end()->set_is_precise(point.is_precise);
  record.mutable_point_end()->set_is_abandoned(is_abandoned);
  Write(record);
}

void Journal::End(const RunResult& result) {
  proto::JournalRecord record;
  proto::JournalRunEnd* const end = record.mutable_run_end();
  end->set_shards(result.shards);
  end->set_duplicates(result.duplicates);
  end->set_rejected(result.rejected);
  end->set_exit_code(result.exit_code);
  for (const std::string& note : result.notes) end->add_notes(note);
  end->mutable_agents()->Assign(result.agents.begin(), result.agents.end());
  Write(record);
}

std::string JournalDir() { return StateFolder("journal"); }

absl::StatusOr<JournaledRun> ReadJournal(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::NotFoundError(absl::StrCat("journal '", path, "': ", std::strerror(errno)));
  google::protobuf::io::FileInputStream in(fd);
  in.SetCloseOnDelete(true);
  std::string header;
  {
    google::protobuf::io::CodedInputStream coded(&in);
    if (!coded.ReadString(&header, static_cast<int>(Header().size())) || header != Header())
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' is no tidemark journal of this version"));
  }
  Replay replay;
  while (true) {
    proto::JournalRecord record;
    bool is_end = false;
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(&record, &in, &is_end))
      break;  // ended, or was cut off
    if (const absl::Status status = replay.Add(record); !status.ok())
      return absl::InvalidArgumentError(absl::StrCat("journal '", path, "': ", status.message()));
  }
  JournaledRun run = replay.Take();
  if (run.result.run.empty()) return absl::InvalidArgumentError(absl::StrCat("journal '", path, "' holds no run"));
  return run;
}

}  // namespace tidemark
