#include "common/plan/defaults.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/plan/durations.h"
#include "common/plan/headers.h"
#include "common/plan/sweep.h"
#include "common/plan/target.h"

namespace tidemark {
namespace {

void ApplyOpenLoopDefaults(proto::Sweep* sweep) {
  if (sweep->connections().empty()) sweep->add_connections(100);
  if (sweep->arrivals().empty()) sweep->set_arrivals("poisson");
  if (sweep->pace().empty()) sweep->set_pace("timer");
  if (sweep->stages().empty() && !sweep->has_requests() && !sweep->has_duration())
    *sweep->mutable_duration() = ToDurationProto(30 * kSecond);
}

void ApplyMixDefaults(bool is_web_socket, proto::Plan* plan) {
  if (plan->requests_size() < 2) return;
  constexpr std::size_t kLongest = 58;  // of the 64 bytes of a name, with room for a number
  std::set<std::string> taken;
  for (const proto::Request& request : plan->requests()) taken.insert(request.name());
  for (int i = 0; i < plan->requests_size(); ++i) {
    proto::Request* const request = plan->mutable_requests(i);
    if (!request->has_weight()) request->set_weight(1);
    if (!request->name().empty()) continue;
    const std::string plain = is_web_socket ? absl::StrCat("message ", i + 1)
                                            : absl::StrCat(request->method(), " ", request->path()).substr(0, kLongest);
    std::string name = plain;
    for (int n = 2; !taken.insert(name).second; ++n) name = absl::StrCat(plain, " (", n, ")");
    request->set_name(name);
  }
}

}  // namespace

void ApplyDefaults(proto::Plan* plan) {
  proto::Sweep* sweep = plan->mutable_sweep();
  if (IsOpenLoop(*sweep)) ApplyOpenLoopDefaults(sweep);
  const bool has_end = sweep->has_requests_per_connection() || sweep->has_requests() || sweep->has_duration();
  if (sweep->connections().empty()) {
    // Seven counts, so that a law of capacity can be fitted to them.
    for (const int count : {10, 20, 50, 100, 200, 500, 1000}) sweep->add_connections(count);
    if (!has_end && !sweep->has_warmup_requests_per_connection() && !sweep->has_warmup())
      *sweep->mutable_warmup() = ToDurationProto(kSecond);
  }
  // How long it may take until it is precise enough only the user can say.
  if (!has_end && !IsOpenLoop(*sweep) && sweep->until().empty())
    *sweep->mutable_duration() = ToDurationProto(10 * kSecond);
  if (!plan->has_timeout()) *plan->mutable_timeout() = ToDurationProto(30 * kSecond);
  if (!plan->has_connect_timeout()) *plan->mutable_connect_timeout() = plan->timeout();
  if (plan->requests().empty()) plan->add_requests();
  const auto target = ParseTarget(plan->target());  // what is wrong with it, ValidatePlan says
  const bool is_web_socket = target.ok() && target->is_web_socket;
  for (proto::Request& request : *plan->mutable_requests()) {
    if (request.method().empty()) request.set_method(!request.has_body() || is_web_socket ? "GET" : "POST");
  }
  // RFC 9112 section 9.6: who says so sends no further request on that connection.
  const auto is_last = [](const proto::Request& request) { return HasToken(request, "Connection", "close"); };
  if (!is_web_socket && std::all_of(plan->requests().begin(), plan->requests().end(), is_last))
    sweep->set_new_connection(true);
  if (plan->web_socket().has_listen() && !plan->web_socket().listen().has_silence())
    *plan->mutable_web_socket()->mutable_listen()->mutable_silence() = ToDurationProto(10 * kSecond);
  if (plan->web_socket().listen().has_storm() && plan->web_socket().listen().storm().jitter().empty())
    plan->mutable_web_socket()->mutable_listen()->mutable_storm()->set_jitter("none");
  ApplyMixDefaults(is_web_socket, plan);
  if (plan->web_socket().listen().has_clock()) {
    proto::Listen* const listen = plan->mutable_web_socket()->mutable_listen();
    if (!listen->clock().has_every()) *listen->mutable_clock()->mutable_every() = ToDurationProto(10 * kSecond);
    if (listen->clock().time_unit().empty()) listen->mutable_clock()->set_time_unit(listen->time_unit());
  }
  if (plan->web_socket().listen().sequence().rule() == "checksum" &&
      !plan->web_socket().listen().sequence().has_depth())
    plan->mutable_web_socket()->mutable_listen()->mutable_sequence()->set_depth(10);
  if (plan->on_agent_loss().empty()) plan->set_on_agent_loss("redo");
  if (!plan->has_max_response_bytes()) plan->set_max_response_bytes(64 << 20);
}

}  // namespace tidemark
