#include "coordinator/run/agents.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/control/address.h"
#include "common/control/certs.h"
#include "common/control/protocol_version.h"
#include "common/plan/authority.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/run/agent_link.h"

namespace tidemark {
namespace {

constexpr Nanos kRetryInterval = 200 * kMillisecond;
// Of each attempt: the last one, in what is left of the time, would else find nobody.
constexpr Nanos kLeastTime = kSecond;

// Every address of a dns: name, as "ADDRESS:PORT".
absl::StatusOr<std::vector<std::string>> ResolveAll(const ControlAddress& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(name.host.c_str(), nullptr, &hints, &list);
  if (error != 0)
    return absl::UnavailableError(
        absl::StrCat("--agents: dns:", name.host, " cannot be resolved: ", gai_strerror(error)));
  std::vector<std::string> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    addresses.push_back(ControlAddress{.host = text, .port = name.port}.ToString());
  }
  freeaddrinfo(list);
  return addresses;
}

// One agent to dial.
struct Dialled {
  std::string address;        // "HOST:PORT"
  std::string expected_name;  // in its certificate; empty: its host
  bool is_loopback = false;
};

// The agents that the specs stand for right now, each once, in order.
absl::StatusOr<std::vector<Dialled>> Expand(const std::vector<std::string>& specs) {
  std::vector<Dialled> agents;
  for (const std::string& spec : specs) {
    const bool is_dns = absl::StartsWith(spec, "dns:");
    const auto parsed = ParseControlAddress(is_dns ? spec.substr(4) : spec);
    if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat("--agents: ", parsed.status().message()));
    std::vector<std::string> found = {parsed->ToString()};
    if (is_dns) {
      TIDEMARK_ASSIGN_OR_RETURN(found, ResolveAll(*parsed));
    }
    for (const std::string& address : found) {
      const bool is_known = std::any_of(agents.begin(), agents.end(),
                                        [&address](const Dialled& agent) { return agent.address == address; });
      if (is_known) continue;
      const auto host = ParseControlAddress(address);
      agents.push_back(
          {.address = address,
           .expected_name = is_dns || absl::EndsWith(parsed->host, ".") ? WithoutTrailingDot(parsed->host) : "",
           .is_loopback = host.ok() && IsLoopback(host->host)});
    }
  }
  return agents;
}

// The certificates to use, if any; those of the default folder serve agents beyond loopback alone.
absl::StatusOr<std::optional<ControlCerts>> FindCerts(const AgentOptions& options) {
  const std::string dir = options.control_certs.empty() ? DefaultControlCertsDir() : options.control_certs;
  if (options.is_insecure_control || (options.control_certs.empty() && !HasControlCerts(dir))) return std::nullopt;
  const auto certs = ReadControlCerts(dir);
  if (!certs.ok()) return absl::InvalidArgumentError(certs.status().message());
  return *certs;
}

absl::Status CheckSecurity(const Dialled& agent, const AgentOptions& options, bool has_certs) {
  if (agent.is_loopback || has_certs || options.is_insecure_control) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--agents: ", agent.address,
                   " is beyond loopback, and there are no certificates; make them with 'tidemark certs', or use "
                   "--insecure-control if you trust the network"));
}

// Asks all of `addresses` at the same time.
std::vector<AgentAnswer> Ask(const std::vector<Dialled>& addresses, const AgentOptions& options,
                             const std::optional<ControlCerts>& certs, Nanos deadline) {
  std::vector<AgentAnswer> answers(addresses.size());
  const bool is_secure_on_loopback = !options.control_certs.empty();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto& [address, expected_name, is_loopback] = addresses[i];
      const bool is_plain = is_loopback && !is_secure_on_loopback;
      AgentAnswer& answer = answers[i];
      answer.agent.address = address;
      answer.agent.channel = Dial(address, is_plain ? std::nullopt : certs, expected_name);
      answer.asked = MonotonicNow();
      auto description = Describe(answer.agent.channel, address, deadline);
      answer.answered = MonotonicNow();
      answer.status = description.status();
      if (description.ok()) answer.agent.description = *std::move(description);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return answers;
}

// Expands and asks; what FindAgents and AskAgents share.
absl::StatusOr<std::vector<AgentAnswer>> ExpandAndAsk(const AgentOptions& options,
                                                      const std::optional<ControlCerts>& certs, Nanos deadline) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<Dialled> addresses, Expand(options.addresses));
  for (const Dialled& agent : addresses) TIDEMARK_RETURN_IF_ERROR(CheckSecurity(agent, options, certs.has_value()));
  return Ask(addresses, options, certs, deadline);
}

}  // namespace

absl::Status CheckAgent(const FoundAgent& agent) {
  const proto::DescribeResponse& who = agent.description;
  if (who.protocol_version() != kProtocolVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("agent ", agent.address, " (tidemark ", who.version(), ") speaks protocol ",
                     ProtocolName(who.protocol_version()), ", this coordinator (", TIDEMARK_VERSION, ") speaks ",
                     ProtocolName(kProtocolVersion), "; install the same version on both"));
  }
  if (!who.busy_with().empty()) {
    return absl::FailedPreconditionError(absl::StrCat("agent ", agent.address, " is busy with ", who.busy_with(),
                                                      "; wait for it to end or use another agent"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AgentAnswer>> AskAgents(const AgentOptions& options, Nanos deadline) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::optional<ControlCerts> certs, FindCerts(options));
  return ExpandAndAsk(options, certs, deadline);
}

absl::StatusOr<std::vector<FoundAgent>> FindAgents(const AgentOptions& options) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::optional<ControlCerts> certs, FindCerts(options));
  const int wait_for = options.wait_for;
  const Nanos timeout = options.wait_timeout;
  const Nanos deadline = MonotonicNow() + (wait_for > 0 ? timeout : kDescribeTimeout);
  const Nanos busy_until = MonotonicNow() + kBusyPatience;
  while (true) {
    std::vector<FoundAgent> found;
    const Nanos now = MonotonicNow();
    auto answers = ExpandAndAsk(options, certs, std::clamp(deadline, now + kLeastTime, now + kDescribeTimeout));
    absl::Status status = answers.status();
    if (answers.ok()) {
      for (AgentAnswer& answer : *answers) {
        if (answer.status.ok()) {
          found.push_back(std::move(answer.agent));
        } else {
          status.Update(answer.status);
        }
      }
    }
    const bool is_enough = wait_for > 0 ? found.size() >= static_cast<std::size_t>(wait_for) : status.ok();
    if (is_enough) {
      if (wait_for > 0) found.resize(static_cast<std::size_t>(wait_for));
      absl::Status check;
      bool is_busy = false;
      for (const FoundAgent& agent : found) {
        check.Update(CheckAgent(agent));
        is_busy = is_busy || !agent.description.busy_with().empty();
      }
      if (check.ok()) return found;
      if (!is_busy || MonotonicNow() >= busy_until) return check;
      std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryInterval));
      continue;
    }
    if (absl::IsInvalidArgument(status) || wait_for == 0) return status;
    if (MonotonicNow() + kRetryInterval >= deadline) {
      return absl::UnavailableError(
          absl::StrCat(found.size(), " of ", wait_for, " agents after ", FormatDuration(timeout), "; ",
                       status.ok() ? absl::string_view("start more, or lower --wait-agents") : status.message()));
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryInterval));
  }
}

}  // namespace tidemark
