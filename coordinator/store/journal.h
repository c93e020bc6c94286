// What a run is made of, on disk, so that a coordinator that dies takes nothing with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/merge/run_result.h"
#include "protos/journal.pb.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Appends to one file, each record with one system call, so that the death of the process leaves whole records (the
// death of the machine may leave less: nothing is synced). What cannot be written is counted, and the run goes on.
// Threads: one.
class Journal {
 public:
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

  // Creates `path`, which must not exist, and the folders above it. Errors: NotFound naming the path and the reason.
  static absl::StatusOr<std::unique_ptr<Journal>> Create(const std::string& path);
  ~Journal();

  void Begin(const RunResult& result, const proto::Plan& plan);
  void BeginPoint(std::uint32_t index, const PointResult& point);
  void Start(const PointResult& point);
  // *shard is as it was, afterwards.
  void Add(proto::Shard* shard);
  // `exit_code` and `note` are what the result says of it.
  void Lose(std::size_t agent, const std::string& why, int exit_code, const std::string& note,
            const Departure& departure, bool has_ended_early);
  void Account(std::size_t agent, const proto::AccountResponse& account);
  void EndPoint(const PointResult& point, bool is_abandoned);
  void End(const RunResult& result);

  const std::string& path() const { return path_; }
  // Records that were not written: the disk was full, or the journal.
  std::uint64_t dropped() const { return dropped_; }

 private:
  Journal(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  void Write(const proto::JournalRecord& record);

  const std::string path_;
  const int fd_;
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

// StateFolder("journal"): where journals lie unless --journal names a file.
std::string JournalDir();

// What a journal holds.
struct JournaledRun {
  RunResult result;
  proto::Plan plan;
  bool is_whole = false;  // the run came to its end; else it is closed as if all its agents had been lost then
};

// Reads a journal and merges its shards as the run did. A record that was cut off at the end is left out, with a note.
// Errors: NotFound; InvalidArgument if it is no journal or holds what no run writes.
absl::StatusOr<JournaledRun> ReadJournal(const std::string& path);

}  // namespace tidemark
