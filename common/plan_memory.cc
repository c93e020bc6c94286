#include "common/plan_memory.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace tidemark {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 60;
// Measured, see MemoryTest. Of an agent whatever it does:
constexpr std::int64_t kRun = 2 << 20;
// Of a worker: its read buffer, its recorders and its stack as far as they are touched.
constexpr std::int64_t kWorker = 3 << 19;
// Of a connection: a plain one, and what TLS and a WebSocket take besides.
constexpr std::int64_t kConnection = 1 << 9;
constexpr std::int64_t kTls = 28 << 10;
constexpr std::int64_t kWebSocket = 3 << 9;
// Of a redirect that is followed: where it leads, and that again in the request.
constexpr std::int64_t kRedirect = 2 * (8 << 10);

std::int64_t Times(std::int64_t a, std::int64_t b) { return b != 0 && a > kMost / b ? kMost : a * b; }

}  // namespace

std::int64_t PlanMemory::Of(std::int64_t workers, std::int64_t connections) const {
  return std::min(kMost, std::min(kMost, shared + Times(per_worker, workers)) + Times(per_connection, connections));
}

PlanMemory MemoryOf(const proto::Plan& plan) {
  const bool is_web_socket = absl::StartsWith(plan.target(), "ws");
  const bool is_tls = absl::StartsWith(plan.target(), "https:") || absl::StartsWith(plan.target(), "wss:");
  std::int64_t all = 0;
  std::int64_t stamped = 0;
  std::int64_t largest = 0;
  for (const proto::Request& request : plan.requests()) {
    std::int64_t bytes = static_cast<std::int64_t>(request.body().size() + request.path().size());
    bool has_slot = absl::StrContains(request.body(), "{slot}") || absl::StrContains(request.path(), "{slot}");
    for (const std::string& header : request.headers()) {
      bytes += static_cast<std::int64_t>(header.size());
      has_slot = has_slot || absl::StrContains(header, "{slot}");
    }
    all += bytes;
    largest = std::max(largest, bytes);
    if (has_slot) stamped += 2 * bytes;  // twelve digits for six letters
  }
  std::int64_t subscriptions = 0;
  for (const std::string& message : plan.web_socket().subscribe())
    subscriptions += static_cast<std::int64_t>(message.size()) + 14;
  const std::int64_t ways = plan.sweep().reconnect_after() != 0 ? 2 : 1;  // one of them says that it is the last
  PlanMemory memory;
  memory.shared = kRun + (4 + ways) * all + 2 * subscriptions;  // the plan, with its secrets, and twice in the masks
  memory.per_worker = kWorker + ways * stamped + (is_web_socket ? 2 * largest : 0);
  memory.per_connection = kConnection + (is_tls ? kTls : 0) + (is_web_socket ? kWebSocket + 2 * subscriptions : 0) +
                          (plan.follow() != 0 ? largest + kRedirect : 0);
  return memory;
}

}  // namespace tidemark
