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

void StampedPath::Begin(LoopState* loop, std::uint64_t slot) {
  Memory& seen = Seen();
  seen.slot = slot;
  seen.sent = WallNow();
  seen.to_wire = seen.from_wire = 0;
  loop->stamps.Send();
}

bool StampedPath::TakeSendStamp(Transport* transport) {
  Nanos unwanted = 0;
  return IsWanted() ? transport->TakeSendStamp(seen_->sent, &seen_->to_wire) : transport->TakeSendStamp(0, &unwanted);
}

void StampedPath::Record(LoopState* loop, Transport* transport, bool is_success) {
  const Nanos read = WallNow();
  Memory& seen = *seen_;
  const Nanos sent = std::exchange(seen.sent, 0);
  if (seen.to_wire == 0) transport->TakeSendStamp(sent, &seen.to_wire);
  const bool counts = loop->stamps.Settle(sent, seen.from_wire != 0);
  if (!counts || !is_success || seen.to_wire == 0 || seen.from_wire == 0) return;
  Recorder& recorder = *loop->recorder;
  const Nanos wire = seen.from_wire - seen.to_wire;
  recorder[Metric::kStamped].Record(read - sent);
  recorder[Metric::kAppToWire].Record(seen.to_wire - sent);
  recorder[Metric::kWire].Record(wire);
  recorder[Metric::kWireToApp].Record(read - seen.from_wire);
  if (bool has_lost = false; Look(loop, transport->fd(), wire, &has_lost)) RecordTarget(loop, wire, has_lost, false);
}

void StampedPath::RecordTarget(LoopState* loop, Nanos wire, bool has_lost, bool is_one_way) const {
  const Nanos passing = is_one_way ? seen_->path.least_rtt / 2 : seen_->path.least_rtt;
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
  PathInfo& last = Seen().path;
  if (last.least_rtt != 0 && wire <= unusual && loop->now - loop->path_looked_at < kPathInterval) return true;
  PathInfo path;
  if (!ReadPath(fd, &path)) return false;
  path.resent = std::max(path.resent, last.resent);  // that one was needless may turn out later
  loop->path_looked_at = loop->now;
  recorder[Metric::kLeastRtt].Record(path.least_rtt);
  recorder[Metric::kRtt].Record(path.rtt);
  recorder.counters.resent_segments += path.resent - last.resent;
  recorder.counters.segments_out_of_order += path.out_of_order - last.out_of_order;
  recorder.counters.window_limited_ns += std::uint64_t{1'000} * (path.window_limited_us - last.window_limited_us);
  const bool has_lost_answer = path.needless != last.needless && wire >= kLeastRetransmission;
  *has_lost =
      wire > unusual && (path.resent != last.resent || path.out_of_order != last.out_of_order || has_lost_answer);
  last = path;
  return true;
}

}  // namespace tidemark
