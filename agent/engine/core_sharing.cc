#include "agent/engine/core_sharing.h"

#include <sched.h>

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/host/machine.h"

namespace tidemark {
namespace {

constexpr Nanos kReviewInterval = 50 * kMillisecond;
// A target that computes longer per response than this gains little from not being interrupted.
constexpr Nanos kMaxDelayPerResponse = 10 * kMicrosecond;

// Always allowed for one's own thread; where a sandbox forbids it all the same, nothing changes.
bool SetPolicy(int policy) {
  const sched_param param{};
  return sched_setscheduler(0, policy, &param) == 0;
}

}  // namespace

bool IsOnThisMachine(const std::vector<SocketAddress>& addresses) {
  const std::vector<std::string> own = LocalAddresses();
  return std::all_of(addresses.begin(), addresses.end(), [&](const SocketAddress& address) {
    if (address.family() == AF_UNIX) return true;
    const std::string text = address.ToString();
    if (absl::StartsWith(text, "127.")) return true;
    return std::any_of(own.begin(), own.end(), [&](const std::string& host) {
      return absl::StartsWith(text, absl::StrCat(host, ":")) || absl::StartsWith(text, absl::StrCat("[", host, "]:"));
    });
  });
}

void CoreSharing::Begin(Nanos now, std::uint64_t responses) {
  is_on_ = SetPolicy(SCHED_BATCH);
  next_review_ = now + kReviewInterval;
  delay_ = ThreadRunDelay();
  responses_ = responses;
}

void CoreSharing::Review(Nanos now, std::uint64_t responses) {
  if (!is_on_ || now < next_review_) return;
  next_review_ = now + kReviewInterval;
  const Nanos delay = ThreadRunDelay();
  if (delay - delay_ > static_cast<Nanos>(responses - responses_ + 1) * kMaxDelayPerResponse) return End();
  delay_ = delay;
  responses_ = responses;
}

void CoreSharing::End() {
  if (is_on_) SetPolicy(SCHED_OTHER);
  is_on_ = false;
}

}  // namespace tidemark
