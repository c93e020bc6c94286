#include "coordinator/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <random>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/arguments.h"
#include "common/inert_text.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "common/plan/expectation.h"
#include "common/plan/limits.h"
#include "common/plan/schedule.h"
#include "common/plan/target.h"
#include "common/plan/validate.h"
#include "common/status_macros.h"
#include "common/units.h"
#include "coordinator/cli/plan_file.h"
#include "coordinator/cli/request_flags.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

constexpr int kUsageError = 1;
constexpr int kMaxAgents = 100'000;

constexpr char kExamples[] = R"(
Examples:
  tidemark run http://127.0.0.1:8080/                        the sweep 10,50,100,500,1000 x 100 requests
  tidemark run -c 64 -d 30s http://127.0.0.1:8080/           64 connections for half a minute
  tidemark run -c 10,100,1000 -o run.json https://gateway.internal/api/v3/time
  tidemark run -R 5k -d 1m https://gateway.internal/         5,000 requests a second, whatever it answers
  tidemark run -R 30/m -c 1 -d 1h http://127.0.0.1:8080/     one request every two seconds
  tidemark run --json '{"id":"{slot}"}' -u me:secret http://127.0.0.1:8080/orders
  tidemark run plan.yaml http://127.0.0.1:8080/ -o run.json  the plan against this target
  tidemark run plan.yaml --agents 10.0.0.5,10.0.0.6          the same on two machines
  tidemark run plan.yaml --dry-run                           what would happen, and nothing more

Counts take k, M, G, and rates too: 5k, 0.5, 30/m or 10/h; durations need a unit (500us, 20ms, 30s, 2m).
Exit codes: 0 done; 1 usage, plan, refused target, limits; 2 agents; 3 accounting broken or a point
left partial; 4 with --strict; 5 target unresolvable, refused, TLS failure, or nothing succeeded; 70 internal error;
99 an expectation missed; 130 interrupted.)";

constexpr char kSearchExamples[] = R"(
Examples:
  tidemark search --rate --expect 'p99<20ms' --expect 'error_rate<0.1%' http://127.0.0.1:8080/
  tidemark search --rate --from 0.5 --to 50 --expect 'p99<2s' http://127.0.0.1:8080/report
  tidemark search --connections --from 50 --expect 'p99<50ms' -d 30s https://gateway.internal/

Doubles the load until an expectation is missed, then halves the gap. The answer is a bracket: a level that was met, and
confirmed by a longer trial, and one that was missed; levels between that the trials could not decide are named.
Exit codes: 0 a level was found; 99 not even the lowest met it; 4 the generator was the limit; others as of run.)";

// Flags as they were typed; empty means not given.
struct Flags {
  std::vector<std::string> sources;
  RequestFlags request;
  std::vector<std::string> connections;
  std::string duration, requests, requests_per_connection, warmup, until, connect_rate, think_time;
  std::vector<std::string> rates;
  std::vector<std::string> subprotocols;
  std::string reply_id, ack;
  std::vector<std::string> subscribe;
  std::string pipeline;
  bool is_listening = false;
  bool is_deflated = false;
  bool is_binary = false;
  std::string kernel_timestamps, threads, arrivals, seed, pace, timeout, connect_timeout, max_response_bytes;
  std::vector<std::string> expect_status;
  bool is_insecure = false, is_without_resumption = false, is_new_connection = false, is_pinned = false;
  std::string cacert, cert, key;
  std::vector<std::string> source_addresses, resolve, connect_to;
  std::string resolve_every, proxy, follow, reconnect_after, drain;
  bool is_ipv4_only = false, is_ipv6_only = false;
  std::vector<std::string> agents, allow_targets, outputs;
  std::string wait_timeout, on_agent_loss, control_certs, journal;
  bool has_no_journal = false;
  bool is_insecure_control = false;
  std::string wait_agents;
  bool is_dry_run = false, is_quiet = false, is_without_color = false, has_latency_detail = false, is_strict = false;
  std::vector<std::string> expect;
  bool is_rate_search = false, is_connection_search = false;
  std::string from, to, within;
};

// What `run` and `search` share.
void AddLoad(CLI::App* app, CLI::Option_group* load, Flags* f) {
  load->add_option("--warmup", f->warmup,
                   "before each point, counted apart: requests per connection, or a duration of its load");
  load->add_option("--connect-rate", f->connect_rate, "new connections per second, over all agents");
  load->add_option("--think-time", f->think_time, "pause of a connection between an answer and its next request");
  load->add_flag("--new-connection", f->is_new_connection, "each request on a connection of its own");
  load->add_option("--reconnect-after", f->reconnect_after,
                   "a connection closes after so many requests, and a new one takes its place");
  load->add_option("--drain", f->drain, "after a point's end answers are waited for so long; default: as --timeout");
  load->add_option("--arrivals", f->arrivals, "of an open loop: poisson (default) or constant");
  load->add_option("--seed", f->seed, "of Poisson arrivals; default: a new one, which the report prints");
  load->add_option("--pace", f->pace, "of an open loop: timer (default), or spin: less late, up to a core per worker");
  load->add_option("-t,--threads", f->threads, "workers per agent; default: the cores it may use");
  load->add_option("--kernel-timestamps", f->kernel_timestamps,
                   "the kernel stamps one of so many requests, over TCP: what was the target's time, and what ours; "
                   "0: none; default: about 1,000 a second and worker");
  load->add_flag("--pin", f->is_pinned, "each worker on a core of its own");
  load->add_option(
          "--expect", f->expect,
          "'p99<20ms', 'error_rate<0.1%', 'requests_per_s>5k', of streams 'gaps<1', 'messages_per_s>5k' (repeatable)")
      ->allow_extra_args(false);
  auto* request = app->add_option_group("Request");
  RequestFlags* const r = &f->request;
  request->add_option("-X,--method", r->method, "HTTP method; default GET, with a body POST");
  request->add_option("-H,--header", r->headers, "'Name: value' (repeatable)")->allow_extra_args(false);
  request->add_option_function<std::string>(
      "--data", [r](const std::string& text) { r->data = text; },
      "request body, or WebSocket message; or @FILE, or @- for standard input; '' is a body of length 0");
  request->add_option_function<std::string>(
      "--json", [r](const std::string& text) { r->json = text; },
      "the same, of JSON that is checked, with Content-Type and Accept of it");
  request->add_option("-F,--form", r->form, "NAME=VALUE of a form, which is URL-encoded (repeatable)")
      ->allow_extra_args(false);
  request->add_option("-u,--user", r->user, "NAME:PASSWORD, sent as Authorization: Basic");
  request->add_option("--timeout", f->timeout, "of one request; default 30s");
  request->add_option("--connect-timeout", f->connect_timeout,
                      "of TCP connect and of the TLS handshake; default: as --timeout");
  request->add_option("--expect-status", f->expect_status, "statuses that count as success; default 200-399")
      ->delimiter(',')
      ->allow_extra_args(false);
  request->add_option("--max-response", f->max_response_bytes, "largest response body; default 64MiB");
  request->add_option(
      "--follow", f->follow,
      "HTTP redirects that a request follows at most, each by a request besides, and to the target's own "
      "scheme, host and port alone: whoever allowed that target allowed no other; default: none");
  auto* web_socket = app->add_option_group("WebSocket");
  web_socket->add_option("--subprotocol", f->subprotocols, "offered to a ws:// or wss:// target (repeatable)")
      ->allow_extra_args(false);
  web_socket->add_flag("--binary", f->is_binary, "--data goes as binary messages, else as text");
  web_socket->add_option("--reply-id", f->reply_id,
                         "JSON pointer, as /id, to what a reply repeats of the request's {slot}; default: the next "
                         "message is the reply");
  web_socket->add_option("--subscribe", f->subscribe, "message that is sent when a connection is up (repeatable)")
      ->allow_extra_args(false);
  web_socket->add_option(
      "--ack", f->ack,
      "POINTER=VALUE of a message that answers a --subscribe, and is in no refusal, as /result=null or /success=true; "
      "default: none is awaited");
  web_socket->add_option("--pipeline", f->pipeline, "requests that a connection has under way at once; default 1");
  web_socket->add_flag("--deflate", f->is_deflated, "offer permessage-deflate, each message compressed by itself");
  web_socket->add_flag(
      "--listen", f->is_listening,
      "send no requests: count what comes, for the -d; a plan's web_socket.listen says what is looked for");
  auto* target = app->add_option_group("Target");
  target->add_flag("-k,--insecure", f->is_insecure, "do not verify the target's certificate");
  target->add_flag("--no-resume", f->is_without_resumption, "a full TLS handshake on every connection");
  target->add_option("--cacert", f->cacert, "PEM file of authorities to trust (read at each agent)");
  target->add_option("--cert", f->cert, "PEM file of the client certificate (read at each agent)");
  target->add_option("--key", f->key, "PEM file of its key (read at each agent)");
  target
      ->add_option("--resolve", f->resolve,
                   "HOST:PORT:ADDRESS, instead of asking the resolver for the target's HOST (repeatable)")
      ->allow_extra_args(false);
  target
      ->add_option("--connect-to", f->connect_to,
                   "HOST:PORT:OTHER:PORT, connect to OTHER:PORT for the target's HOST:PORT, and send the same "
                   "(repeatable)")
      ->allow_extra_args(false);
  target->add_option("--resolve-every", f->resolve_every,
                     "ask the resolver for the target's name again so often; default: once");
  target->add_flag("-4", f->is_ipv4_only, "only the target's IPv4 addresses");
  target->add_flag("-6", f->is_ipv6_only, "only its IPv6 addresses");
  target->add_option("--proxy", f->proxy, "http://HOST:PORT of an HTTP proxy, through which the target is reached");
  target->add_option("--source", f->source_addresses, "local addresses to connect from, in turn")
      ->delimiter(',')
      ->allow_extra_args(false);
  target
      ->add_option("--allow-target", f->allow_targets,
                   "HOST or CIDR that may be loaded besides loopback and private ranges; "
                   "for the agent in this process only")
      ->allow_extra_args(false);
  auto* agents = app->add_option_group("Agents");
  agents->add_option("--agents", f->agents, "HOST[:PORT],... or dns:NAME[:PORT]; default: one in this process")
      ->delimiter(',')
      ->allow_extra_args(false);
  agents->add_option("--wait-agents", f->wait_agents, "wait until this many agents answer, and use them");
  agents->add_option(
      "--control-certs", f->control_certs,
      "folder with ca.pem, cert.pem, key.pem, see 'tidemark certs'; default ~/.config/tidemark/certs, for "
      "agents beyond loopback");
  agents->add_flag("--insecure-control", f->is_insecure_control,
                   "speak to agents beyond loopback in plain text; only in a network you trust");
  agents->add_option("--on-agent-loss", f->on_agent_loss,
                     "redo (default): the others make the point again, once; continue: they go on, and it is PARTIAL; "
                     "fail: the run ends");
  agents->add_option("--wait-timeout", f->wait_timeout, "... for at most this long; default 60s");
}

void NameTypes(CLI::App* app) {
  // What a value is, for the help; all are read as text and parsed with the plan's own rules.
  for (const auto& [name, type] :
       std::initializer_list<std::pair<const char*, const char*>>{{"-c", "COUNT"},
                                                                  {"-d", "DURATION"},
                                                                  {"-n", "COUNT"},
                                                                  {"--requests-per-connection", "COUNT"},
                                                                  {"-R", "RATE"},
                                                                  {"--arrivals", "KIND"},
                                                                  {"--seed", "NUMBER"},
                                                                  {"--pace", "KIND"},
                                                                  {"--warmup", "COUNT|DURATION"},
                                                                  {"--connect-rate", "RATE"},
                                                                  {"--think-time", "DURATION"},
                                                                  {"--reconnect-after", "COUNT"},
                                                                  {"--drain", "DURATION"},
                                                                  {"--follow", "COUNT"},
                                                                  {"--resolve-every", "DURATION"},
                                                                  {"--proxy", "URL"},
                                                                  {"-t", "COUNT"},
                                                                  {"--kernel-timestamps", "COUNT"},
                                                                  {"-X", "METHOD"},
                                                                  {"-H", "HEADER"},
                                                                  {"--data", "TEXT"},
                                                                  {"--json", "TEXT"},
                                                                  {"-F", "NAME=VALUE"},
                                                                  {"-u", "NAME:PASSWORD"},
                                                                  {"--connect-to", "HOST:PORT:OTHER:PORT"},
                                                                  {"--resolve", "HOST:PORT:ADDRESS"},
                                                                  {"--timeout", "DURATION"},
                                                                  {"--connect-timeout", "DURATION"},
                                                                  {"--expect-status", "STATUS"},
                                                                  {"--subprotocol", "NAME"},
                                                                  {"--reply-id", "POINTER"},
                                                                  {"--subscribe", "MESSAGE"},
                                                                  {"--ack", "POINTER=VALUE"},
                                                                  {"--max-response", "BYTES"},
                                                                  {"--cacert", "FILE"},
                                                                  {"--cert", "FILE"},
                                                                  {"--key", "FILE"},
                                                                  {"--source", "ADDRESS"},
                                                                  {"--wait-agents", "COUNT"},
                                                                  {"--pipeline", "COUNT"},
                                                                  {"--control-certs", "FOLDER"},
                                                                  {"--on-agent-loss", "POLICY"},
                                                                  {"--wait-timeout", "DURATION"},
                                                                  {"--journal", "FILE"},
                                                                  {"--expect", "EXPECTATION"},
                                                                  {"--until", "PRECISION"},
                                                                  {"--from", "COUNT"},
                                                                  {"--to", "COUNT"},
                                                                  {"--within", "PERCENT"}}) {
    if (CLI::Option* const option = app->get_option_no_throw(name)) option->type_name(type);
  }
}

void AddOutput(CLI::App* app, Flags* f, const char* formats) {
  auto* output = app->add_option_group("Output");
  output->add_option("-o,--output", f->outputs, formats)->allow_extra_args(false);
  output->add_flag("-q,--quiet", f->is_quiet, "no progress, no table");
}

void AddSources(CLI::App* app, Flags* f) {
  app->add_option("target", f->sources,
                  "URL (http, https, ws, wss, unix:SOCKET:/PATH) or a plan file (.yaml), or both: the plan against the "
                  "URL")
      ->required();
}

void AddRun(CLI::App* run, Flags* f) {
  AddSources(run, f);
  auto* load = run->add_option_group("Load");
  load->add_option("-c,--connections", f->connections, "connection counts, one point each: 10,50,100")
      ->delimiter(',')
      ->allow_extra_args(false);
  load->add_option("-d,--duration", f->duration, "how long each point lasts");
  load->add_option("--until", f->until, "QUANTILE:WIDTH as p99:5%: end a point when its interval is that narrow");
  load->add_option("-n,--requests", f->requests, "requests per point, over all connections and agents");
  load->add_option("--requests-per-connection", f->requests_per_connection, "requests on each connection");
  load->add_option("-R,--rate", f->rates, "open loop: requests per second over all agents, one point each: 1k,2k,5k")
      ->delimiter(',')
      ->allow_extra_args(false);
  AddLoad(run, load, f);
  AddOutput(run, f, "FILE.json, .csv, .hlog or .hgrm; or json=FILE, csv=-, ...; - is stdout (repeatable)");
  auto* report = run->add_option_group("Report");
  report->add_option("--journal", f->journal,
                     "keep what the run is made of in this file, see 'tidemark report'; default with --agents: until "
                     "the result is delivered");
  report->add_flag("--no-journal", f->has_no_journal, "none");
  report->add_flag("--latency", f->has_latency_detail, "print every histogram of every point");
  report->add_flag("--strict", f->is_strict, "exit 4 if a point is not VALID or TARGET_LIMITED");
  report->add_flag("--no-color", f->is_without_color, "no colours (also: NO_COLOR in the environment)");
  report->add_flag("--dry-run", f->is_dry_run, "print the resolved plan and its split, start nothing");
  NameTypes(run);
}

void AddSearch(CLI::App* search, Flags* f) {
  AddSources(search, f);
  auto* what = search->add_option_group("Search");
  what->add_flag("--rate", f->is_rate_search, "for the highest rate, in an open loop");
  what->add_flag("--connections", f->is_connection_search, "for the largest number of connections, in a closed loop");
  what->add_option("--from", f->from, "where to begin; default 100 requests a second, or 10 connections");
  what->add_option("--to", f->to, "where to end at most; default 1M requests a second, or 10k connections");
  what->add_option("--within", f->within, "how far apart the two ends of the answer may be; default 2%");
  what->add_option("-d,--duration", f->duration,
                   "of a trial; default 5s. One that leaves the answer open goes on up to four times as long");
  auto* load = search->add_option_group("Load");
  load->add_option("-c", f->connections, "connections of each trial at a rate; default 100")->allow_extra_args(false);
  AddLoad(search, load, f);
  AddOutput(search, f, "FILE.json, or json=FILE; - is stdout (repeatable)");
  NameTypes(search);
}

absl::Status Blame(absl::string_view flag, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", status.message()));
}

// Parses `text` with `parse` into *set, naming `flag` in errors; does nothing if it was not given.
template <typename Parse, typename Set>
absl::Status Apply(absl::string_view flag, const std::string& text, Parse parse, Set set) {
  if (text.empty()) return absl::OkStatus();
  const auto value = parse(text);
  if (!value.ok()) return Blame(flag, value.status());
  set(*value);
  return absl::OkStatus();
}

// "10": requests per connection; "10s": a time.
// For flags of which 0 would be as if they were left out.
template <typename Parse>
auto AboveZero(Parse parse) {
  return [parse](absl::string_view text) {
    auto value = parse(text);
    if (value.ok() && *value == 0)
      value = absl::InvalidArgumentError("0 would be as if it were left out; leave it out, or give more");
    return value;
  };
}

absl::Status ApplyWarmup(const std::string& text, proto::Sweep* sweep) {
  if (text.empty()) return absl::OkStatus();
  sweep->clear_warmup();
  sweep->clear_warmup_requests_per_connection();
  if (const auto count = ParseCount(text); count.ok()) {
    sweep->set_warmup_requests_per_connection(*count);
    return absl::OkStatus();
  }
  return Apply("--warmup", text, ParseDuration, [&](Nanos v) { *sweep->mutable_warmup() = ToDurationProto(v); });
}

// What is no time at all is meant for curl's -d.
absl::StatusOr<Nanos> ParsePointLength(absl::string_view text) {
  const auto length = ParseDuration(text);
  const bool is_data = text.find_first_of("={[@\"<") != absl::string_view::npos;
  if (length.ok() || !is_data) return length;
  return absl::InvalidArgumentError(
      absl::StrCat("'", InertText(text, 64), "' is no duration, as 30s; a request's body is --data here"));
}

absl::Status ApplySweep(const Flags& f, proto::Plan* plan) {
  proto::Sweep* sweep = plan->mutable_sweep();
  if (!f.connections.empty()) {
    sweep->clear_connections();
    for (const std::string& text : f.connections) {
      TIDEMARK_RETURN_IF_ERROR(Apply("-c/--connections", text.empty() ? "?" : text, ParseCount,
                                     [&](std::int64_t v) { sweep->add_connections(v); }));
    }
  }
  if (!f.duration.empty() || !f.requests.empty() || !f.requests_per_connection.empty()) {
    sweep->clear_duration();
    sweep->clear_requests();
    sweep->clear_requests_per_connection();
  }
  const auto positive = [](absl::string_view flag, std::int64_t value) {
    return value > 0 ? absl::OkStatus()
                     : absl::InvalidArgumentError(absl::StrCat(flag, ": 0 makes no load; give at least 1"));
  };
  absl::Status zero;
  TIDEMARK_RETURN_IF_ERROR(Apply("-d/--duration", f.duration, ParsePointLength,
                                 [&](Nanos v) { *sweep->mutable_duration() = ToDurationProto(v); }));
  TIDEMARK_RETURN_IF_ERROR(Apply("-n/--requests", f.requests, ParseCount, [&](std::int64_t v) {
    zero.Update(positive("-n/--requests", v));
    sweep->set_requests(v);
  }));
  TIDEMARK_RETURN_IF_ERROR(
      Apply("--requests-per-connection", f.requests_per_connection, ParseCount, [&](std::int64_t v) {
        zero.Update(positive("--requests-per-connection", v));
        sweep->set_requests_per_connection(v);
      }));
  TIDEMARK_RETURN_IF_ERROR(zero);
  TIDEMARK_RETURN_IF_ERROR(ApplyWarmup(f.warmup, sweep));
  if (!f.until.empty()) sweep->set_until(f.until);
  if (!f.rates.empty()) {
    sweep->clear_rates();
    sweep->clear_stages();
    for (const std::string& text : f.rates) {
      TIDEMARK_RETURN_IF_ERROR(
          Apply("-R/--rate", text.empty() ? "?" : text, ParseRate, [&](double v) { sweep->add_rates(v); }));
    }
  }
  if (!f.arrivals.empty()) sweep->set_arrivals(f.arrivals);
  if (!f.pace.empty()) sweep->set_pace(f.pace);
  TIDEMARK_RETURN_IF_ERROR(Apply("--seed", f.seed, ParseCount, [&](std::int64_t v) { sweep->set_seed(v); }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--think-time", f.think_time, ParseDuration,
                                 [&](Nanos v) { *sweep->mutable_think_time() = ToDurationProto(v); }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--reconnect-after", f.reconnect_after, AboveZero(ParseCount),
                                 [&](std::int64_t v) { sweep->set_reconnect_after(v); }));
  TIDEMARK_RETURN_IF_ERROR(
      Apply("--drain", f.drain, ParseDuration, [&](Nanos v) { *sweep->mutable_drain() = ToDurationProto(v); }));
  return Apply("--connect-rate", f.connect_rate, AboveZero(ParseRate), [&](double v) { sweep->set_connect_rate(v); });
}

absl::Status ApplyLimits(const Flags& f, proto::Plan* plan) {
  TIDEMARK_RETURN_IF_ERROR(
      Apply("--timeout", f.timeout, ParseDuration, [&](Nanos v) { *plan->mutable_timeout() = ToDurationProto(v); }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--connect-timeout", f.connect_timeout, ParseDuration,
                                 [&](Nanos v) { *plan->mutable_connect_timeout() = ToDurationProto(v); }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--max-response", f.max_response_bytes, ParseBytes,
                                 [&](std::int64_t v) { plan->set_max_response_bytes(v); }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--kernel-timestamps", f.kernel_timestamps, ParseCount,
                                 [&](std::int64_t v) { plan->set_kernel_timestamps(v); }));
  return Apply("-t/--threads", f.threads, AboveZero(ParseCount), [&](std::int64_t v) {
    plan->set_threads(static_cast<std::int32_t>(std::min<std::int64_t>(v, kMaxThreads + 1)));
  });
}

absl::Status ApplyTarget(const Flags& f, proto::Plan* plan) {
  const auto replace = [](const std::vector<std::string>& from, google::protobuf::RepeatedPtrField<std::string>* to) {
    if (!from.empty()) to->Assign(from.begin(), from.end());
  };
  replace(f.expect_status, plan->mutable_expect_status());
  replace(f.resolve, plan->mutable_resolve());
  replace(f.connect_to, plan->mutable_connect_to());
  if (f.is_ipv4_only && f.is_ipv6_only)
    return absl::InvalidArgumentError("-4 and -6: exclude each other; leave both out for all addresses");
  if (f.is_ipv4_only || f.is_ipv6_only) plan->set_ip_family(f.is_ipv4_only ? "4" : "6");
  if (!f.proxy.empty()) plan->set_proxy(f.proxy);
  TIDEMARK_RETURN_IF_ERROR(Apply("--resolve-every", f.resolve_every, ParseDuration,
                                 [&](Nanos v) { *plan->mutable_resolve_every() = ToDurationProto(v); }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--follow", f.follow, ParseCount, [&](std::int64_t v) { plan->set_follow(v); }));
  replace(f.source_addresses, plan->mutable_source_addresses());
  replace(f.expect, plan->mutable_expect());
  if (!f.on_agent_loss.empty()) plan->set_on_agent_loss(f.on_agent_loss);
  replace(f.subprotocols, f.subprotocols.empty() ? nullptr : plan->mutable_web_socket()->mutable_subprotocols());
  replace(f.subscribe, f.subscribe.empty() ? nullptr : plan->mutable_web_socket()->mutable_subscribe());
  if (!f.ack.empty()) plan->mutable_web_socket()->set_ack(f.ack);
  TIDEMARK_RETURN_IF_ERROR(Apply("--pipeline", f.pipeline, ParseCount,
                                 [&](std::int64_t v) { plan->mutable_web_socket()->set_pipeline(v); }));
  if (f.is_deflated) plan->mutable_web_socket()->set_deflate(true);
  if (f.is_listening) plan->mutable_web_socket()->mutable_listen();
  if (f.is_binary) plan->mutable_web_socket()->set_binary(true);
  if (!f.reply_id.empty()) plan->mutable_web_socket()->set_reply_id(f.reply_id);
  if (f.is_pinned) plan->set_pin_threads(true);
  if (f.is_new_connection) plan->mutable_sweep()->set_new_connection(true);
  if (f.is_without_resumption) plan->mutable_tls()->set_no_resume(true);
  if (f.is_insecure) plan->mutable_tls()->set_insecure(true);
  if (!f.cacert.empty()) plan->mutable_tls()->set_ca_file(f.cacert);
  if (!f.cert.empty()) plan->mutable_tls()->set_cert_file(f.cert);
  if (!f.key.empty()) plan->mutable_tls()->set_key_file(f.key);
  return absl::OkStatus();
}

bool IsUrl(const std::string& text) { return absl::StrContains(text, "://") || absl::StartsWith(text, "unix:"); }

bool IsPlanFile(const std::string& text) { return absl::EndsWith(text, ".yaml") || absl::EndsWith(text, ".yml"); }

// The plan that the flags and the plan file make, without its defaults.
absl::StatusOr<proto::Plan> MakePlan(const Flags& f) {
  std::string url;
  std::string file;
  for (const std::string& source : f.sources) {
    if (!IsUrl(source) && !IsPlanFile(source))
      return absl::InvalidArgumentError(
          absl::StrCat("'", source, "' is neither a URL nor a plan file; write http://", source, " or NAME.yaml"));
    std::string& kind = IsUrl(source) ? url : file;
    if (!kind.empty())
      return absl::InvalidArgumentError(absl::StrCat("'", source, "' stands beside '", kind, "'; give one ",
                                                     IsUrl(source) ? "URL" : "plan file", " at a time"));
    kind = source;
  }
  proto::Plan plan;
  if (!file.empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(plan, ReadPlanFile(file));
  }
  if (!url.empty()) plan.set_target(url);
  TIDEMARK_RETURN_IF_ERROR(ApplySweep(f, &plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyRequestFlags(f.request, &plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyLimits(f, &plan));
  TIDEMARK_RETURN_IF_ERROR(ApplyTarget(f, &plan));
  return plan;
}

absl::StatusOr<AgentOptions> ResolveAgents(const Flags& f) {
  AgentOptions agents{.addresses = f.agents,
                      .allow_targets = f.allow_targets,
                      .control_certs = f.control_certs,
                      .is_insecure_control = f.is_insecure_control};
  if (f.agents.empty() && (!f.control_certs.empty() || f.is_insecure_control))
    return absl::InvalidArgumentError("--control-certs and --insecure-control: have no effect without --agents");
  if (!f.control_certs.empty() && f.is_insecure_control)
    return absl::InvalidArgumentError("--control-certs and --insecure-control: exclude each other");
  if (f.agents.empty() && (!f.wait_agents.empty() || !f.wait_timeout.empty())) {
    return absl::InvalidArgumentError("--wait-agents and --wait-timeout: need --agents, which names where to look");
  }
  if (!f.wait_timeout.empty() && f.wait_agents.empty())
    return absl::InvalidArgumentError("--wait-timeout: needs --wait-agents");
  TIDEMARK_RETURN_IF_ERROR(Apply("--wait-agents", f.wait_agents, ParseCount, [&](std::int64_t v) {
    agents.wait_for = static_cast<int>(std::min<std::int64_t>(v, kMaxAgents + 1));
  }));
  if (!f.wait_agents.empty() && (agents.wait_for < 1 || agents.wait_for > kMaxAgents))
    return absl::InvalidArgumentError(absl::StrCat("--wait-agents: ", f.wait_agents, " is outside 1 to ", kMaxAgents));
  if (!f.agents.empty() && !f.allow_targets.empty()) {
    return absl::InvalidArgumentError(
        "--allow-target: has no effect on other agents; start each tidemark-agent with it");
  }
  TIDEMARK_RETURN_IF_ERROR(
      Apply("--wait-timeout", f.wait_timeout, ParseDuration, [&](Nanos v) { agents.wait_timeout = v; }));
  return agents;
}

absl::Status ApplyCounts(const Flags& f, SearchOptions* search) {
  *search = {.from = 10, .to = 10'000};
  TIDEMARK_RETURN_IF_ERROR(Apply("--from", f.from, ParseCount, [&](std::int64_t v) { search->from = v; }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--to", f.to, ParseCount, [&](std::int64_t v) { search->to = v; }));
  if (search->from >= 1 && search->from <= search->to) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--from and --to: ", search->from, " to ", search->to, " is empty; begin at 1 or more"));
}

// Levels are whole requests per second if both ends are, else the coarsest step in which both are whole.
absl::Status ApplyRates(const Flags& f, RunOptions* options) {
  double from = 100;
  double to = 1'000'000;
  TIDEMARK_RETURN_IF_ERROR(Apply("--from", f.from, ParseRate, [&](double v) { from = v; }));
  TIDEMARK_RETURN_IF_ERROR(Apply("--to", f.to, ParseRate, [&](double v) { to = v; }));
  if (from == 0 || from > to || to > static_cast<double>(kMaxRate))
    return absl::InvalidArgumentError(absl::StrCat("--from and --to: ", FormatRate(from), " to ", FormatRate(to),
                                                   " is empty, or more than ", FormatRate(kMaxRate)));
  constexpr std::int64_t kTenThousandth = kOnePerSecond / 10'000;
  for (const std::int64_t step : {kOnePerSecond, kTenThousandth, std::int64_t{1}}) {
    if (ScheduleRate(from) % step != 0 || ScheduleRate(to) % step != 0) continue;
    options->search_step = step;
    options->search = {.from = ScheduleRate(from) / step, .to = ScheduleRate(to) / step};
    break;
  }
  return absl::OkStatus();
}

// Turns the plan into that of the first trial.
absl::Status ResolveSearch(const Flags& f, RunOptions* options) {
  SearchOptions& search = options->search;
  proto::Sweep* const sweep = options->plan.mutable_sweep();
  if (f.is_rate_search == f.is_connection_search)
    return absl::InvalidArgumentError("search: say what for, --rate or --connections");
  if (options->plan.expect().empty())
    return absl::InvalidArgumentError("search: needs an expectation, as --expect 'p99<20ms'");
  options->is_rate_search = f.is_rate_search;
  TIDEMARK_RETURN_IF_ERROR(f.is_rate_search ? ApplyRates(f, options) : ApplyCounts(f, &search));
  TIDEMARK_RETURN_IF_ERROR(
      Apply("--within", f.within, ParsePercent, [&](double percent) { search.resolution = percent / 100; }));
  if (search.resolution < 0.001 || search.resolution > 1)
    return absl::InvalidArgumentError("--within: must lie between 0.1% and 100%");
  if (f.is_connection_search && !f.connections.empty())
    return absl::InvalidArgumentError("-c: has no effect on a search over connections; use --from and --to");
  if (!sweep->stages().empty() || sweep->requests() != 0 || sweep->requests_per_connection() != 0) {
    return absl::InvalidArgumentError(
        "search: the plan has stages or a number of requests; trials last for a time, leave them out");
  }
  if (sweep->has_duration()) search.trial = FromProto(sweep->duration());
  if (search.trial < kSecond) return absl::InvalidArgumentError("-d/--duration: a trial lasts 1s at least");
  *sweep->mutable_duration() = ToDurationProto(search.trial);
  sweep->clear_rates();
  if (f.is_rate_search) {
    sweep->add_rates(PerSecond(search.from * options->search_step));
  } else {
    sweep->clear_connections();
    sweep->add_connections(search.from);
  }
  return absl::OkStatus();
}

absl::StatusOr<RunOptions> Resolve(const Flags& f, bool is_search) {
  RunOptions options;
  TIDEMARK_ASSIGN_OR_RETURN(options.plan, MakePlan(f));
  if (is_search) TIDEMARK_RETURN_IF_ERROR(ResolveSearch(f, &options));
  ApplyDefaults(&options.plan);
  proto::Sweep* const sweep = options.plan.mutable_sweep();
  if (sweep->arrivals() == "poisson" && sweep->seed() == 0) {
    std::random_device device;
    sweep->set_seed(device() | 1);
  }
  TIDEMARK_RETURN_IF_ERROR(ValidatePlan(options.plan));
  TIDEMARK_ASSIGN_OR_RETURN(options.agents, ResolveAgents(f));
  for (const std::string& text : f.outputs) {
    TIDEMARK_ASSIGN_OR_RETURN(Output output, ParseOutput(text));
    if (is_search && output.format != Output::Format::kJson)
      return absl::InvalidArgumentError(absl::StrCat("-o: '", text, "': a search writes json=FILE alone"));
    options.outputs.push_back(std::move(output));
  }
  if (!f.journal.empty() && f.has_no_journal)
    return absl::InvalidArgumentError("--journal and --no-journal: exclude each other");
  options.journal = f.journal;
  options.has_no_journal = f.has_no_journal;
  options.is_dry_run = f.is_dry_run;
  options.is_quiet = f.is_quiet;
  options.has_color = !f.is_without_color;
  options.has_latency_detail = f.has_latency_detail;
  options.is_strict = f.is_strict;
  return options;
}

}  // namespace

absl::StatusOr<Output> ParseOutput(const std::string& text) {
  constexpr std::pair<absl::string_view, Output::Format> kFormats[] = {{"json", Output::Format::kJson},
                                                                       {"csv", Output::Format::kCsv},
                                                                       {"hlog", Output::Format::kHlog},
                                                                       {"hgrm", Output::Format::kHgrm}};
  for (const auto& [name, format] : kFormats) {
    const std::string prefix = absl::StrCat(name, "=");
    if (absl::StartsWith(text, prefix) && text.size() > prefix.size())
      return Output{.format = format, .path = text.substr(prefix.size())};
  }
  for (const auto& [name, format] : kFormats) {
    const std::string ending = absl::StrCat(".", name);
    if (absl::EndsWith(text, ending) && text.size() > ending.size()) return Output{.format = format, .path = text};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("-o: '", InertText(text, 128),
                   "' does not say in which form; write FILE.json, FILE.csv, FILE.hlog or "
                   "FILE.hgrm, or json=FILE"));
}

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app{"Tidemark: how many connections, and how many requests a second, does this HTTP API hold?", "tidemark"};
  app.set_version_flag("-V,--version", std::string("tidemark ") + TIDEMARK_VERSION);
  app.require_subcommand(0, 1);  // so that an unknown command is named, not only missed
  app.footer("Try 'tidemark run --help'.");
  Flags flags;
  Flags search_flags;
  CLI::App* run = app.add_subcommand("run", "run a sweep against a target");
  run->footer(kExamples);
  AddRun(run, &flags);
  CLI::App* search =
      app.add_subcommand("search", "find the highest rate, or number of connections, that meets an expectation");
  search->footer(kSearchExamples);
  AddSearch(search, &search_flags);
  const CLI::App* selftest = app.add_subcommand(
      "selftest", "what this machine can measure, and whether the promises hold on it; 20 s, exit 70 if one does not");
  // These are done before this; named here for the help.
  for (const auto& [verb, what] : {std::pair{"compare", "compare two sets of results"},
                                   {"report", "a result again, from a run's journal"},
                                   {"agents", "who the agents are, and what they are doing"},
                                   {"stop", "end a run at its agents"},
                                   {"certs", "certificates for agents on other hosts"}})
    app.add_subcommand(verb, absl::StrCat(what, "; see tidemark ", verb, " --help"));
  const absl::string_view verb = argc > 1 ? argv[1] : "";
  const std::string program = verb == "run" || verb == "search" ? absl::StrCat("tidemark ", verb) : "tidemark";
  if (const auto end = ReadArguments(&app, program, {argv + std::min(argc, 1), argv + argc}, {"--data"})) {
    if (!end->is_error) return {.exit_code = 0, .text = end->text};
    return {.exit_code = kUsageError, .text = absl::StrCat("tidemark: ", end->text, "\n")};
  }
  if (selftest->parsed()) return {.command = Command::kSelftest};
  if (!run->parsed() && !search->parsed())
    return {.exit_code = kUsageError,
            .text = "tidemark: a command is missing: 'tidemark run URL'; see 'tidemark run --help'\n"};
  auto options = Resolve(search->parsed() ? search_flags : flags, search->parsed());
  if (!options.ok())
    return {.exit_code = kUsageError, .text = absl::StrCat("tidemark: ", options.status().message(), "\n")};
  return {.command = search->parsed() ? Command::kSearch : Command::kRun, .options = *std::move(options)};
}

}  // namespace tidemark
