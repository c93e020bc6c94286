#include "common/plan/plan_memory.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "common/plan/holes.h"

namespace tidemark {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 60;
// Measured, see MemoryTest. Of an agent whatever it does:
constexpr std::int64_t kRun = 2 << 20;
// Of a worker: its read buffer, its recorders and its stack as far as they are touched.
constexpr std::int64_t kWorker = 3 << 19;
// ... of each request of a mix its histograms, in the recorders that are on their way, as far as they are touched.
constexpr std::int64_t kSeries = 384 << 10;
// Of a connection: a plain one, and what TLS and a WebSocket take besides.
constexpr std::int64_t kConnection = 1 << 9;
constexpr std::int64_t kWebSocket = 3 << 9;
// Of a redirect that is followed: where it leads, and that again in the request.
constexpr std::int64_t kRedirect = 2 * (8 << 10);

// Of answers. A header that has come in part; a message as JSON: its copy, and an index of what may be four bytes for
// each of its own.
constexpr std::int64_t kHeader = 64 << 10;
constexpr std::int64_t kLookedAt = 8;
// What a request's holes may need beyond what is written for them.
constexpr std::int64_t kHoles = 4 << 10;
// Streams that a connection tells apart; each with its name, and the gaps that it remembers; a level of its book.
constexpr std::int64_t kStreams = 1'024;
constexpr std::int64_t kStream = 6 << 10;
constexpr std::int64_t kLevel = 256;

// From OpenSSL 3.5 on a handshake offers ML-KEM, whose keys weigh as much again as the connection until it is done.
std::int64_t Tls() { return OpenSSL_version_num() < 0x30500000 ? 28 << 10 : 50 << 10; }

std::int64_t Times(std::int64_t a, std::int64_t b) { return b != 0 && a > kMost / b ? kMost : a * b; }

}  // namespace

std::int64_t PlanMemory::Of(std::int64_t workers, std::int64_t connections) const {
  return std::min(kMost, std::min(kMost, shared + Times(per_worker, workers)) + Times(per_connection, connections));
}

std::int64_t PlanMemory::MostOf(std::int64_t workers, std::int64_t connections) const {
  const PlanMemory answers{.per_worker = answers_per_worker, .per_connection = answers_per_connection};
  return std::min(kMost, Of(workers, connections) + answers.Of(workers, connections));
}

namespace {

// Whether a message is kept until it is whole, since it is looked at.
bool KeepsMessages(const proto::WebSocket& web_socket) {
  const proto::Listen& listen = web_socket.listen();
  return web_socket.deflate() || !web_socket.reply_id().empty() || !web_socket.ack().empty() ||
         !web_socket.ping().reply().empty() || !listen.stream().empty() || !listen.time().empty() ||
         !listen.sequence().number().empty() || !listen.fan_out().empty() || !listen.ignore().empty() ||
         !listen.events().empty();
}

void AddAnswers(const proto::Plan& plan, bool is_web_socket, PlanMemory* memory) {
  memory->answers_per_connection = kHeader;
  if (!is_web_socket) return;
  const proto::WebSocket& web_socket = plan.web_socket();
  const proto::Listen& listen = web_socket.listen();
  if (KeepsMessages(web_socket)) {
    memory->answers_per_connection += Times(2, plan.max_response_bytes());
    memory->answers_per_worker = Times(web_socket.deflate() ? kLookedAt + 2 : kLookedAt, plan.max_response_bytes());
  }
  const std::int64_t streams = listen.stream().empty() ? 1 : kStreams;
  if (web_socket.has_listen())
    memory->answers_per_connection += streams * (kStream + 2 * kLevel * listen.sequence().depth());
}

}  // namespace

PlanMemory MemoryOf(const proto::Plan& plan) {
  const bool is_web_socket = absl::StartsWith(plan.target(), "ws");
  const bool is_tls = absl::StartsWith(plan.target(), "https:") || absl::StartsWith(plan.target(), "wss:");
  std::int64_t all = 0;
  std::int64_t stamped = 0;
  std::int64_t largest = 0;
  for (const proto::Request& request : plan.requests()) {
    std::int64_t bytes = static_cast<std::int64_t>(request.body().size() + request.path().size());
    for (const std::string& header : request.headers()) bytes += static_cast<std::int64_t>(header.size());
    all += bytes;
    largest = std::max(largest, bytes);
    if (plan.traceparent() || HasHoles(request) || (request.path().empty() && absl::StrContains(plan.target(), "{")))
      stamped += kHoles + 4 * bytes;  // "{now:ns}" is nineteen digits, and a body is made before its head
  }
  std::int64_t subscriptions = 0;
  for (const std::string& message : plan.web_socket().subscribe())
    subscriptions += static_cast<std::int64_t>(message.size()) + 14;
  const std::int64_t mixed = plan.requests_size() > 1 ? plan.requests_size() : 0;
  const std::int64_t ways = plan.sweep().reconnect_after() != 0 ? 2 : 1;  // one of them says that it is the last
  PlanMemory memory;
  memory.shared = kRun + (4 + ways) * all + 2 * subscriptions;  // the plan, with its secrets, and twice in the masks
  memory.per_worker = kWorker + ways * stamped + (is_web_socket ? 2 * largest : 0) + mixed * kSeries;
  memory.per_connection = kConnection + (is_tls ? Tls() : 0) + (is_web_socket ? kWebSocket + 2 * subscriptions : 0) +
                          (plan.follow() != 0 ? largest + kRedirect : 0);
  AddAnswers(plan, is_web_socket, &memory);
  return memory;
}

}  // namespace tidemark
