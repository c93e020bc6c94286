// The first answer of each failing status: what of it is kept, and when.
#pragma once

#include <cstdint>
#include <string>

#include "agent/guard/secrets.h"
#include "common/plan/status_set.h"
#include "common/stats/status_counts.h"

namespace tidemark {

// What of an answer is kept while it comes.
struct Excerpt {
  std::string content_type;
  std::string body;
  bool is_cut = false;  // there was more of the body

  void SetContentType(absl::string_view value);
  void Append(absl::string_view more);
  // Nothing more of the body would be kept.
  bool IsFull() const { return is_cut || body.size() == StatusCounts::kMaxBody; }
};

// Threads: one worker, which owns it.
class FirstAnswers {
 public:
  FirstAnswers() = default;
  // `is_upgrade`: of requests for a WebSocket. `source`: the worker's number.
  FirstAnswers(bool is_upgrade, std::uint32_t source, const Masks* masks)
      : is_upgrade_(is_upgrade), source_(source), masks_(masks) {}

  // A point, or its preparation, begins: of each status that is no success, one answer is wanted.
  void Begin(const StatusSet& success) { wanted_ = ~success; }
  // Where they are kept, which outlives its use here.
  void RecordInto(StatusCounts* counts) { counts_ = counts; }

  // REQUIRES: 0 <= status < 1,000.
  bool Wants(int status) const { return wanted_[static_cast<std::size_t>(status)]; }
  // Keeps it if it is wanted still; no other one of that status is wanted then.
  void Keep(int status, const Excerpt& excerpt);

 private:
  bool is_upgrade_ = false;
  std::uint32_t source_ = 0;
  const Masks* masks_ = nullptr;
  StatusSet wanted_;
  StatusCounts* counts_ = nullptr;
};

}  // namespace tidemark
