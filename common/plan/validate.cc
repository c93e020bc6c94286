#include "common/plan/validate.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/plan/authority.h"
#include "common/plan/checks.h"
#include "common/plan/dialled.h"
#include "common/plan/durations.h"
#include "common/plan/expectation.h"
#include "common/plan/holes.h"
#include "common/plan/limits.h"
#include "common/plan/measured.h"
#include "common/plan/status_set.h"
#include "common/plan/sweep.h"
#include "common/plan/target.h"
#include "common/plan/validate_parts.h"
#include "common/status_macros.h"

namespace tidemark {
namespace {

// Text crosses the network in protobuf's `string`, which is UTF-8.
absl::Status CheckText(const google::protobuf::Message& message, const std::string& path) {
  const auto& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    const std::string name = absl::StrCat(path, field->name());
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->type() == google::protobuf::FieldDescriptor::TYPE_MESSAGE) {
        const auto& child = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                                 : reflection.GetMessage(message, field);
        TIDEMARK_RETURN_IF_ERROR(CheckText(child, absl::StrCat(name, ".")));
      } else if (field->type() == google::protobuf::FieldDescriptor::TYPE_STRING) {
        const std::string text = field->is_repeated() ? reflection.GetRepeatedString(message, field, i)
                                                      : reflection.GetString(message, field);
        if (!IsUtf8(text)) return Invalid(name, "is not UTF-8; write other bytes in a body file, or percent-encoded");
      }
    }
  }
  return absl::OkStatus();
}

// A count that is written and 0, where leaving it out means something else.
absl::Status CheckZeros(const proto::Plan& plan) {
  struct Figure {
    const char* field;
    bool is_zero;
  };
  const proto::Sweep& sweep = plan.sweep();
  const proto::Sequence& sequence = plan.web_socket().listen().sequence();
  const auto has_no_weight = [](const proto::Request& request) {
    return request.has_weight() && request.weight() == 0;
  };
  for (const Figure& figure :
       {Figure{"sweep.requests", sweep.has_requests() && sweep.requests() == 0},
        Figure{"sweep.requests_per_connection",
               sweep.has_requests_per_connection() && sweep.requests_per_connection() == 0},
        Figure{"requests.weight", std::any_of(plan.requests().begin(), plan.requests().end(), has_no_weight)},
        Figure{"max_response_bytes", plan.has_max_response_bytes() && plan.max_response_bytes() == 0},
        Figure{"web_socket.pipeline", plan.web_socket().has_pipeline() && plan.web_socket().pipeline() == 0},
        Figure{"web_socket.listen.sequence.depth", sequence.has_depth() && sequence.depth() == 0}}) {
    if (figure.is_zero) return Invalid(figure.field, "is 0; give at least 1, or leave it out");
  }
  return absl::OkStatus();
}

// Which addresses are connected to. An entry that is of no use was meant for what is loaded, and would leave it to the
// resolver.
absl::Status CheckAddresses(const proto::Plan& plan, const Target& target) {
  if (plan.source_addresses_size() > 10'000) return Invalid("source_addresses", "more than 10000");
  if (plan.resolve_size() > 1'000) return Invalid("resolve", "more than 1000 entries");
  if (plan.connect_to_size() > 1'000) return Invalid("connect_to", "more than 1000 entries");
  if (!plan.ip_family().empty() && plan.ip_family() != "4" && plan.ip_family() != "6")
    return Invalid("ip_family", absl::StrCat(Quoted(plan.ip_family()), "; write 4 or 6"));
  if (!target.unix_path.empty() &&
      !(plan.source_addresses().empty() && plan.resolve().empty() && plan.connect_to().empty() &&
        plan.ip_family().empty() && plan.proxy().empty() && !plan.has_resolve_every())) {
    return Invalid("target",
                   "a Unix socket takes neither source addresses nor resolve, connect_to, ip_family, proxy and "
                   "resolve_every");
  }
  std::vector<Target> asked = {target};
  if (const auto clock = ParseTarget(plan.web_socket().listen().clock().url()); clock.ok()) asked.push_back(*clock);
  std::vector<Dialled> before;  // connect_to
  if (!plan.proxy().empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(const Proxy proxy, ParseProxy(plan.proxy()));
    if (plan.web_socket().listen().has_clock())
      return Invalid("proxy", "is not asked for web_socket.listen.clock; leave one of them out");
    before.push_back({.host = proxy.host, .port = proxy.port});
  } else {
    for (const Target& one : asked) before.push_back({.host = one.host, .port = one.port});
  }
  const std::string who = absl::StrCat(plan.proxy().empty() ? "the target is " : "the proxy is ",
                                       JoinHostPort(before[0].host, before[0].port));
  for (const std::string& text : plan.connect_to()) {
    TIDEMARK_ASSIGN_OR_RETURN(const ConnectTo entry, ParseConnectTo(text));
    if (std::none_of(before.begin(), before.end(), [&](const Dialled& one) { return entry.IsFor(one.host, one.port); }))
      return Invalid("connect_to",
                     absl::StrCat(Quoted(text), " has no effect: ", who, "; write that at its beginning"));
  }
  std::vector<Dialled> dialled;
  for (const Target& one : asked) dialled.push_back(DialledFor(one, plan));
  bool is_overridden = false;
  for (const std::string& text : plan.resolve()) {
    TIDEMARK_ASSIGN_OR_RETURN(const ResolveOverride override, ParseResolveOverride(text));
    const auto is_for = [&](const Dialled& one) {
      return IsSameHost(override.host, one.host) && override.port == one.port;
    };
    is_overridden = is_overridden || is_for(dialled[0]);
    if (std::none_of(dialled.begin(), dialled.end(), is_for)) {
      const bool is_led_on = dialled[0].host != before[0].host || dialled[0].port != before[0].port;
      return Invalid("resolve", absl::StrCat(Quoted(text), " has no effect: ",
                                             is_led_on ? absl::StrCat("connect_to leads to ",
                                                                      JoinHostPort(dialled[0].host, dialled[0].port))
                                                       : who,
                                             "; write that before the address"));
    }
  }
  if (!plan.has_resolve_every()) return absl::OkStatus();
  TIDEMARK_RETURN_IF_ERROR(
      CheckDuration("resolve_every", FromProto(plan.resolve_every()), 100 * kMillisecond, kMaxDuration));
  if (is_overridden || IsZonedAddress(dialled[0].host))
    return Invalid("resolve_every", absl::StrCat("has no effect: ", JoinHostPort(dialled[0].host, dialled[0].port),
                                                 " has its address from the plan; leave one of them out"));
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidatePlan(const proto::Plan& plan) {
  TIDEMARK_RETURN_IF_ERROR(CheckText(plan, ""));
  TIDEMARK_ASSIGN_OR_RETURN(const Target target, ParseTarget(plan.target()));
  TIDEMARK_RETURN_IF_ERROR(CheckZeros(plan));
  TIDEMARK_RETURN_IF_ERROR(CheckParts("target", target.path));
  TIDEMARK_RETURN_IF_ERROR(CheckSweep(plan.sweep()));
  if (plan.sweep().seed() != 0 && !IsOpenLoop(plan.sweep()) && !HasRandom(plan))
    return Invalid("sweep.seed", "has no effect: nothing is random in a closed loop; leave it out");
  TIDEMARK_RETURN_IF_ERROR(CheckDuration("timeout", FromProto(plan.timeout()), kMillisecond, kMaxTimeout));
  TIDEMARK_RETURN_IF_ERROR(
      CheckDuration("connect_timeout", FromProto(plan.connect_timeout()), kMillisecond, kMaxTimeout));
  TIDEMARK_RETURN_IF_ERROR(CheckRequests(plan));
  TIDEMARK_RETURN_IF_ERROR(CheckTraces(plan, target.is_web_socket));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("follow", plan.follow(), 0, kMaxFollow));
  TIDEMARK_RETURN_IF_ERROR(CheckWebSocket(plan, target));
  const proto::Tls& tls = plan.tls();
  if (!target.is_tls && (tls.insecure() || tls.no_resume() || !tls.ca_file().empty() || !tls.cert_file().empty() ||
                         !tls.key_file().empty())) {
    return Invalid("tls", absl::StrCat("has no effect on '", plan.target().substr(0, 128),
                                       "'; use an https:// target or leave it out"));
  }
  if (tls.cert_file().empty() != tls.key_file().empty()) return Invalid("tls", "cert_file and key_file go together");
  if (plan.threads() != 0) TIDEMARK_RETURN_IF_ERROR(CheckRange("threads", plan.threads(), 1, kMaxThreads));
  TIDEMARK_RETURN_IF_ERROR(CheckAddresses(plan, target));
  TIDEMARK_RETURN_IF_ERROR(CheckRange("kernel_timestamps", plan.kernel_timestamps(), 0, 1'000'000));
  if (plan.kernel_timestamps() > 0 && !target.unix_path.empty())
    return Invalid("kernel_timestamps",
                   "the kernel stamps TCP alone; use a target that is no unix: socket, or leave it out");
  if (plan.on_agent_loss() != "fail" && plan.on_agent_loss() != "continue" && plan.on_agent_loss() != "redo") {
    return Invalid("on_agent_loss",
                   absl::StrCat("'", plan.on_agent_loss().substr(0, 32), "'; write redo, continue or fail"));
  }
  if (plan.expect_size() > 100) return Invalid("expect", "more than 100 entries");
  const Measured measured(plan);
  for (const std::string& text : plan.expect()) {
    const auto expectation = ParseExpectation(text);
    if (!expectation.ok()) return Invalid("expect", expectation.status().message());
    const std::string figure = expectation->InReport();
    if (!measured.Has(figure))
      return Invalid("expect",
                     absl::StrCat("'", expectation->text, "' is not measured: ", WhyNotMeasured(measured, figure)));
  }
  const auto statuses = ParseStatusSet(plan.expect_status());
  if (!statuses.ok()) return statuses.status();
  return CheckRange("max_response_bytes", plan.max_response_bytes(), 1, std::int64_t{1} << 40);
}

}  // namespace tidemark
