#include "agent/exchange/stamped_path.h"

#include <algorithm>
#include <utility>

namespace tidemark {
namespace {

// The soonest that a peer sends again what was lost and nothing followed (Linux: TCP_RTO_MIN).
constexpr Nanos kLeastRetransmission = 200 * kMillisecond;
// The path of a stamped connection is looked at so often at most, and where a request took unusually long.
constexpr Nanos kPathInterval = 4 * kMillisecond;

}  // namespace

void StampedPath::Record(LoopState* loop, Transport* transport, bool is_success) {
  const Nanos read = WallNow();
  const Nanos sent = std::exchange(sent_, 0);
  if (to_wire_ == 0) transport->TakeSendStamp(sent, &to_wire_);
  const bool counts = loop->stamps.Settle(sent, from_wire_ != 0);
  if (!counts || !is_success || to_wire_ == 0 || from_wire_ == 0) return;
  Recorder& recorder = *loop->recorder;
  recorder[Metric::kStamped].Record(read - sent);
  recorder[Metric::kAppToWire].Record(to_wire_ - sent);
  recorder[Metric::kWire].Record(from_wire_ - to_wire_);
  recorder[Metric::kWireToApp].Record(read - from_wire_);
  const Nanos wire = from_wire_ - to_wire_;
  if (bool has_lost = false; Look(loop, transport->fd(), wire, &has_lost)) RecordTarget(loop, wire, has_lost, false);
}

void StampedPath::RecordTarget(LoopState* loop, Nanos wire, bool has_lost, bool is_one_way) const {
  const Nanos passing = is_one_way ? path_.least_rtt / 2 : path_.least_rtt;
  const Nanos target = has_lost ? std::min(loop->usual_target, wire) : std::max<Nanos>(0, wire - passing);
  (*loop->recorder)[Metric::kTargetTime].Record(target);
  if (has_lost) return;
  loop->usual_wire += (wire - loop->usual_wire) / 16;
  loop->usual_target += (target - loop->usual_target) / 16;
}

bool StampedPath::Look(LoopState* loop, int fd, Nanos wire, bool* has_lost) {
  Recorder& recorder = *loop->recorder;
  const Nanos unusual = 2 * (loop->usual_wire + kMillisecond);
  *has_lost = false;
  if (path_.least_rtt != 0 && wire <= unusual && loop->now - loop->path_looked_at < kPathInterval) return true;
  PathInfo path;
  if (!ReadPath(fd, &path)) return false;
  path.resent = std::max(path.resent, path_.resent);  // that one was needless may turn out later
  loop->path_looked_at = loop->now;
  recorder[Metric::kLeastRtt].Record(path.least_rtt);
  recorder[Metric::kRtt].Record(path.rtt);
  recorder.counters.resent_segments += path.resent - path_.resent;
  recorder.counters.segments_out_of_order += path.out_of_order - path_.out_of_order;
  recorder.counters.window_limited_ns += std::uint64_t{1'000} * (path.window_limited_us - path_.window_limited_us);
  const bool has_lost_answer = path.needless != path_.needless && wire >= kLeastRetransmission;
  *has_lost =
      wire > unusual && (path.resent != path_.resent || path.out_of_order != path_.out_of_order || has_lost_answer);
  path_ = path;
  return true;
}

}  // namespace tidemark
