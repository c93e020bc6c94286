#include "coordinator/cli/cli.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "common/plan/durations.h"
#include "common/plan/redact.h"
#include "common/plan/schedule.h"
#include "common/units.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tidemark");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CliTest, AUrlAloneIsTheDefaultSweep) {
  const CommandLine line = Parse({"run", "http://127.0.0.1/"});
  ASSERT_TRUE(line.prepared.options != nullptr) << line.text;
  EXPECT_EQ(line.prepared.options->plan.sweep().connections_size(), 7);
  EXPECT_TRUE(line.prepared.options->agents.addresses.empty());
}

TEST(CliTest, FlagsAreAShortFormOfThePlan) {
  const CommandLine line = Parse({"run",
                                  "-c",
                                  "10,1k",
                                  "-d",
                                  "2s",
                                  "-t",
                                  "3",
                                  "-H",
                                  "A: b",
                                  "-X",
                                  "PUT",
                                  "--data",
                                  "body",
                                  "--timeout",
                                  "1s",
                                  "--expect-status",
                                  "200,404",
                                  "--source",
                                  "127.0.0.2,127.0.0.3",
                                  "-o",
                                  "json=a.json",
                                  "-o",
                                  "csv=-",
                                  "https://h/p",
                                  "-k",
                                  "--pin",
                                  "--agents",
                                  "a:1,dns:b"});
  ASSERT_TRUE(line.prepared.options != nullptr) << line.text;
  const proto::Plan& plan = line.prepared.options->plan;
  EXPECT_EQ(plan.sweep().connections(1), 1000);
  EXPECT_EQ(FromProto(plan.sweep().duration()), 2 * kSecond);
  EXPECT_EQ(plan.threads(), 3);
  EXPECT_TRUE(plan.pin_threads());
  EXPECT_EQ(plan.requests(0).method(), "PUT");
  EXPECT_EQ(plan.requests(0).body(), "body");
  EXPECT_EQ(plan.source_addresses_size(), 2);
  EXPECT_TRUE(plan.tls().insecure());
  EXPECT_EQ(line.prepared.options->agents.addresses, (std::vector<std::string>{"a:1", "dns:b"}));
  EXPECT_EQ(line.prepared.options->outputs.size(), 2u);
}

TEST(CliTest, HowTheTargetIsReachedAndHowLongAConnectionLastsAreFlags) {
  const auto plan = [](std::vector<const char*> flags) {
    flags.insert(flags.begin(), {"run", "http://h:81/"});
    const CommandLine line = Parse(flags);
    EXPECT_TRUE(line.prepared.options != nullptr) << line.text;
    return line.prepared.options->plan;
  };
  EXPECT_EQ(plan({"--connect-to", "h:81:127.0.0.1:82"}).connect_to(0), "h:81:127.0.0.1:82");
  EXPECT_EQ(plan({"-4"}).ip_family(), "4");
  EXPECT_EQ(plan({"-6"}).ip_family(), "6");
  EXPECT_EQ(FromProto(plan({"--resolve-every", "30s"}).resolve_every()), 30 * kSecond);
  EXPECT_EQ(plan({"--proxy", "http://127.0.0.1:3128"}).proxy(), "http://127.0.0.1:3128");
  EXPECT_EQ(plan({"--follow", "3"}).follow(), 3);
  EXPECT_EQ(plan({"--reconnect-after", "1k"}).sweep().reconnect_after(), 1000);
  EXPECT_EQ(FromProto(plan({"-d", "1s", "--drain", "5s"}).sweep().drain()), 5 * kSecond);
}

proto::Plan PlanOf(std::vector<const char*> flags) {
  flags.insert(flags.begin(), {"run", "http://h/"});
  const CommandLine line = Parse(flags);
  EXPECT_TRUE(line.prepared.options != nullptr) << line.text;
  return line.prepared.options->plan;
}

std::vector<std::string> HeadersOf(const proto::Plan& plan) {
  return {plan.requests(0).headers().begin(), plan.requests(0).headers().end()};
}

// What a test gives as a file, with its name.
struct Written {
  explicit Written(const std::string& text, const std::string& ending = "") {
    static int count = 0;
    path = ::testing::TempDir() + "cli_test." + std::to_string(getpid()) + "." + std::to_string(count++) + ending;
    std::ofstream(path, std::ios::binary) << text;
  }
  ~Written() { std::remove(path.c_str()); }
  std::string path;
};

TEST(CliTest, AnEmptyBodyIsABodyAndNoneIsNone) {
  const Written empty("");
  const std::string file = "@" + empty.path;
  for (const auto& flags : std::vector<std::vector<const char*>>{
           {"--data", ""}, {"--data="}, {"--data", file.c_str()}, {"--data", "@/dev/null"}}) {
    const proto::Plan plan = PlanOf(flags);
    EXPECT_TRUE(plan.requests(0).has_body());
    EXPECT_EQ(plan.requests(0).body(), "");
    EXPECT_EQ(plan.requests(0).method(), "POST");
  }
  EXPECT_FALSE(PlanOf({}).requests(0).has_body());
  EXPECT_EQ(PlanOf({}).requests(0).method(), "GET");
  EXPECT_EQ(PlanOf({"--data", "", "-X", "PUT"}).requests(0).method(), "PUT");
}

TEST(CliTest, JsonIsCheckedAndSaysWhatItIs) {
  const proto::Plan plan = PlanOf({"--json", R"({"id":"{slot}"})"});
  EXPECT_EQ(plan.requests(0).body(), R"({"id":"{slot}"})");
  EXPECT_EQ(plan.requests(0).method(), "POST");
  EXPECT_EQ(HeadersOf(plan), (std::vector<std::string>{"Content-Type: application/json", "Accept: application/json"}));
  EXPECT_EQ(HeadersOf(PlanOf({"--json", "[]", "-H", "content-type: application/vnd.api+json"})),
            (std::vector<std::string>{"content-type: application/vnd.api+json", "Accept: application/json"}));
  const Written file("[1,\n2]\n");
  const std::string argument = "@" + file.path;
  EXPECT_EQ(PlanOf({"--json", argument.c_str()}).requests(0).body(), "[1,\n2]\n");
  // Of a WebSocket it is the message, and headers go with the upgrade.
  const CommandLine line = Parse({"run", "ws://h/", "--json", "{}"});
  ASSERT_TRUE(line.prepared.options != nullptr) << line.text;
  EXPECT_EQ(HeadersOf(line.prepared.options->plan), std::vector<std::string>());
}

TEST(CliTest, AFormIsUrlEncodedButForWhatIsFilledIn) {
  const proto::Plan plan =
      PlanOf({"-F", "full name=J. O'Neil & co", "--form", "id={slot}", "--form=e=", "-F", "\xc3\xa9=100%"});
  EXPECT_EQ(plan.requests(0).body(), "full+name=J.+O%27Neil+%26+co&id={slot}&e=&%C3%A9=100%25");
  EXPECT_EQ(HeadersOf(plan), std::vector<std::string>{"Content-Type: application/x-www-form-urlencoded"});
  EXPECT_EQ(PlanOf({"-F", "k={env:API_KEY}"}).requests(0).body(), "k={env:API_KEY}");
}

TEST(CliTest, AUserIsAnAuthorizationThatIsNotPrinted) {
  // The example of RFC 7617 section 2.
  const proto::Plan plan = PlanOf({"-u", "Aladdin:open sesame"});
  EXPECT_EQ(HeadersOf(plan), std::vector<std::string>{"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="});
  EXPECT_EQ(HeadersOf(PlanForPrinting(plan)), std::vector<std::string>{"Authorization: ***"});
  EXPECT_EQ(HeadersOf(PlanOf({"--user", "key:"})), std::vector<std::string>{"Authorization: Basic a2V5Og=="});
  EXPECT_EQ(Parse({"run", "http://h/", "-u", "opensesame"}).text,
            "tidemark: -u/--user: has no ':'; write NAME:PASSWORD, or NAME: for an empty password\n");
}

TEST(CliTest, HeadersAndAUserGoToEachRequestOfAMix) {
  const Written mix("target: http://h/\nrequests:\n- {path: /a, headers: ['Authorization: old']}\n- path: /b\n",
                    ".yaml");
  const CommandLine line = Parse({"run", mix.path.c_str(), "-u", "a:b", "-H", "X-A: b"});
  ASSERT_TRUE(line.prepared.options != nullptr) << line.text;
  for (const proto::Request& request : line.prepared.options->plan.requests()) {
    EXPECT_EQ((std::vector<std::string>{request.headers().begin(), request.headers().end()}),
              (std::vector<std::string>{"X-A: b", "Authorization: Basic YTpi"}));
  }
  EXPECT_NE(Parse({"run", mix.path.c_str(), "--data", "x"}).text.find("--data: the plan has 2 requests"),
            std::string::npos);
}

TEST(CliTest, AUrlBesideAPlanIsItsTarget) {
  const Written plan("target: http://h/\nsweep: {connections: [7], requests: 9}\n", ".yaml");
  const Written bare("sweep: {connections: [7], requests: 9}\n", ".yml");
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{"run", plan.path.c_str(), "http://other:81/p"},
                                             {"run", "http://other:81/p", plan.path.c_str()},
                                             {"run", "-t", "1", bare.path.c_str(), "-q", "http://other:81/p"}}) {
    const CommandLine line = Parse(arguments);
    ASSERT_TRUE(line.prepared.options != nullptr) << line.text;
    EXPECT_EQ(line.prepared.options->plan.target(), "http://other:81/p");
    EXPECT_EQ(line.prepared.options->plan.sweep().connections(0), 7);
  }
}

TEST(CliTest, RatesMayBeBelowOneASecond) {
  const proto::Plan plan = PlanOf({"-R", "0.5,30/m,10/h", "--connect-rate", "0.5"});
  EXPECT_EQ(plan.sweep().rates(0), 0.5);
  EXPECT_EQ(plan.sweep().rates(1), 0.5);
  EXPECT_DOUBLE_EQ(plan.sweep().rates(2), 10.0 / 3600);
  EXPECT_EQ(plan.sweep().connect_rate(), 0.5);
  struct Case {
    const char* from;
    const char* to;
    double first;
    std::int64_t step;
  };
  for (const Case& c :
       {Case{"100", "1k", 100, kOnePerSecond}, {"0.5", "50", 0.5, 360}, {"30.5/m", "2", 30.5 / 60, 1}}) {
    const CommandLine line =
        Parse({"search", "--rate", "--from", c.from, "--to", c.to, "--expect", "p99<1s", "http://h/"});
    ASSERT_TRUE(line.prepared.options != nullptr) << line.text;
    EXPECT_DOUBLE_EQ(line.prepared.options->plan.sweep().rates(0), c.first);
    EXPECT_EQ(line.prepared.options->search_step, c.step);
    EXPECT_EQ(line.prepared.options->search.from * c.step, ScheduleRate(c.first));
    EXPECT_EQ(line.prepared.options->search.to * c.step, ScheduleRate(*ParseRate(c.to)));
  }
}

TEST(CliTest, AnOutputsFormIsItsEnding) {
  const std::pair<const char*, const FormatRow*> kCases[] = {
      {"run.json", FindFormat("json")},    {"json=run", FindFormat("json")}, {"csv=-", FindFormat("csv")},
      {"a/b.csv", FindFormat("csv")},      {"x.hlog", FindFormat("hlog")},   {"x.hgrm", FindFormat("hgrm")},
      {"json=run.csv", FindFormat("json")}};
  for (const auto& [text, format] : kCases) {
    const auto output = ParseOutput(text);
    ASSERT_TRUE(output.ok()) << text;
    EXPECT_TRUE(output->format == format) << text;
    EXPECT_EQ(output->path, absl::string_view(text).substr(std::string(text).find('=') + 1)) << text;
  }
  for (const char* text : {"run", "run.xml", ".json", "json=", "-", "run.JSON"})
    EXPECT_FALSE(ParseOutput(text).ok()) << text;
}

TEST(CliTest, BadInputIsOneLineAndExitCodeOne) {
  const std::pair<std::vector<const char*>, const char*> kCases[] = {
      {{"run"}, "target is required"},
      {{"run", "h"}, "neither a URL nor a plan file"},
      {{"run", "http://h/", "-c", "0"}, "0 is outside 1 to"},
      {{"run", "http://h/", "-c", "99G"}, "is outside 1 to"},
      {{"run", "http://h/", "-c", "ten"}, "-c/--connections: 'ten'"},
      {{"run", "http://h/", "-d", "30"}, "-d/--duration: '30' has no unit"},
      {{"run", "http://h/", "-d", "x=1"},
       "-d/--duration: 'x=1' is no duration, as 30s; a request's body is --data here"},
      {{"run", "http://h/", "-d", "@body.json"}, "a request's body is --data here"},
      {{"search", "http://h/", "--rate", "--expect", "p99<1s", "-d", "{}"}, "a request's body is --data here"},
      {{"run", "http://h/", "-d", "30 s"}, "-d/--duration: '30 s'"},
      {{"run", "http://h/", "-c", "1,,2"},
       "-c/--connections: element 2 of '1,,2' is empty; give it, or leave out its comma"},
      {{"run", "http://h/", "-c1,2,"}, "-c/--connections: element 3 of '1,2,' is empty"},
      {{"run", "http://h/", "--connections=,1"}, "-c/--connections: element 1 of ',1' is empty"},
      {{"run", "http://h/", "--rate", "5,,6", "-n", "1"}, "-R/--rate: element 2 of '5,,6' is empty"},
      {{"run", "http://h/", "--agents", "a,,b"}, "--agents: element 2 of 'a,,b' is empty"},
      {{"run", "http://h/", "--source", "127.0.0.1,,::1"}, "--source: element 2 of '127.0.0.1,,::1' is empty"},
      {{"run", "http://h/", "--expect-status", "200,"}, "--expect-status: element 2 of '200,' is empty"},
      {{"run", "http://h/", "--follow", "-1"}, "--follow: '-1'"},
      {{"run", "http://h/", "--follow", "51"}, "follow: 51 is outside 0 to 50"},
      {{"run", "http://h/", "-L", "3"}, "-L: unknown flag; it is --follow here"},
      {{"run", "ws://h/", "--data", "x", "--follow", "3"}, "follow: is of HTTP targets"},
      {{"run", "ws://h/", "--data", "x", "--reconnect-after", "5"}, "sweep.reconnect_after: is of HTTP targets"},
      {{"run", "http://h/", "-n", "0"}, "-n/--requests: 0 makes no load"},
      {{"run", "http://h/", "-n", "5", "-d", "1s"}, "more than one of"},
      {{"run", "http://h/", "-R", "0"}, "sweep.rates: 0 is outside"},
      {{"run", "http://h/", "-R", "5", "-c", "1,2"}, "an open loop takes one count"},
      {{"run", "http://h/", "-R", "5", "-n", "5", "-d", "1s"}, "exactly one of requests and duration"},
      {{"run", "http://h/", "-R", "5", "--think-time", "1s"}, "think_time"},
      {{"run", "http://h/", "-R", "5", "--arrivals", "bursty"}, "write poisson or constant"},
      {{"run", "http://h/", "-R", "5", "--pace", "fast"}, "write timer or spin"},
      {{"run", "http://h/", "-R", "1", "-n", "1G"}, "take longer than 7 days"},
      {{"run", "http://h/", "--pace", "spin"}, "belong to an open loop"},
      {{"run", "http://h/", "-4", "-6"}, "-4 and -6: exclude each other"},
      {{"run", "http://h/", "--drain", "5"}, "--drain: '5' has no unit"},
      {{"run", "http://h/", "--resolve-every", "often"}, "--resolve-every: 'often'"},
      {{"run", "http://h/", "--reconnect-after", "x"}, "--reconnect-after: 'x'"},
      {{"run", "http://h/", "--bogus"}, "--bogus: unknown flag; see 'tidemark run --help'"},
      {{"run", "http://h/", "--conections", "10"}, "--conections: unknown flag; did you mean '--connections'?"},
      {{"run", "--conections=10", "http://h/"}, "--conections: unknown flag; did you mean '--connections'?"},
      {{"run", "--tiemout", "10s"}, "--tiemout: unknown flag; did you mean '--timeout'?"},
      {{"run", "http://h/", "--source-addresses", "::1"}, "--source-addresses: unknown flag; did you mean '--source'?"},
      {{"run", "http://h/", "--conn", "10"}, "--conn: unknown flag; see 'tidemark run --help'"},
      {{"run", "http://h/", "--vus", "10"}, "--vus: unknown flag; it is --connections here"},
      {{"run", "http://h/", "--users", "10"}, "--users: unknown flag; it is --connections here"},
      {{"run", "http://h/", "--concurrency=10"}, "--concurrency: unknown flag; it is --connections here"},
      {{"run", "http://h/", "--rps", "10"}, "--rps: unknown flag; it is --rate here"},
      {{"run", "http://h/", "-w", "2"}, "-w: unknown flag; it is --threads here"},
      {{"run", "http://h/", "--url", "x"}, "--url: unknown flag; a plan has it as target"},
      {{"run", "http://h/", "--data-binary", "x"}, "--data-binary: unknown flag; it is --data here"},
      {{"search", "http://h/", "--expct", "x"}, "--expct: unknown flag; did you mean '--expect'?"},
      {{"runn", "http://h/"}, "'runn' is no command; did you mean 'run'?"},
      {{"serach", "http://h/"}, "'serach' is no command; did you mean 'search'?"},
      {{"serach", "--rate", "--expect", "p99<1s", "http://h/"}, "'serach' is no command; did you mean 'search'?"},
      {{"rnu", "-c", "5", "http://h/"}, "'rnu' is no command; did you mean 'run'?"},
      {{"comapre", "a.json", "--", "b.json"}, "'comapre' is no command; did you mean 'compare'?"},
      {{"http://h/"}, "a command is missing; write 'tidemark run http://h/'"},
      {{"run", "http://h/", "-d", ""}, "-d/--duration: has an empty value; give one, or leave it out"},
      {{"run", "http://h/", "-d", "1s", "-d", "2s"}, "--duration: is given 2 times; give it once"},
      {{"run", "http://h/", "--timeout="}, "--timeout: has an empty value"},
      {{"run", "http://h/", "--agents", ""}, "--agents: has an empty value"},
      {{"run", "http://h/", "-H", ""}, "-H/--header: has an empty value"},
      {{"run", "http://h/", "--json", ""}, "--json: has an empty value"},
      {{"search", "http://h/", "--expect", ""}, "--expect: has an empty value"},
      {{"run", ""}, "target: has an empty value"},
      {{"run", "http://h/", "http://i/"}, "'http://i/' stands beside 'http://h/'; give one URL at a time"},
      {{"run", "a.yaml", "b.yml"}, "'b.yml' stands beside 'a.yaml'; give one plan file at a time"},
      {{"run", "http://h/", "ten"}, "'ten' is neither a URL nor a plan file"},
      {{"run", "http://h/", "--data", "@"}, "--data: '@' names no file; write @FILE, or @- for standard input"},
      {{"run", "http://h/", "--data", "a", "--json", "{}"}, "--data and --json: exclude each other"},
      {{"run", "http://h/", "--data", "", "-F", "a=b"}, "--data and -F/--form: exclude each other"},
      {{"run", "http://h/", "--json", "{\"a\":}"}, "--json: is not JSON at line 1, column 6, before '}'"},
      {{"run", "http://h/", "--json", "{\n\"a\": 1,\n  b"}, "--json: is not JSON at line 3, column 3, before 'b'"},
      {{"run", "http://h/", "--json", "{\"a\":1"}, "--json: is not JSON at line 1, column 7, its end"},
      {{"run", "http://h/", "--json", "{} {}"}, "--json: is not JSON at line 1, column 4, before '{}'"},
      {{"run", "http://h/", "--json", "{\"a\":{slot}}"}, "write \"{slot}\" in quotes"},
      {{"run", "http://h/", "-F", "a"}, "-F/--form: 'a' is no field; write NAME=VALUE"},
      {{"run", "http://h/", "-F", "=a"}, "-F/--form: '=a' is no field"},
      {{"run", "http://h/", "-F", "f=@x.png"}, "would send a file"},
      {{"run", "ws://h/", "-F", "a=b"}, "-F/--form: makes the body of an HTTP request"},
      {{"run", "http://h/", "-u", "me:{env:PASSWORD}"}, "-u/--user: holds a reference"},
      {{"run", "http://h/", "-u", "a:b", "-H", "authorization: c"}, "-u/--user and -H 'Authorization: ...': exclude"},
      {{"run", "http://h/", "-R", "0.3333333"}, "-R/--rate: '0.3333333' is no whole number of thousandths per hour"},
      {{"run", "http://h/", "-R", "30/min"}, "-R/--rate: '30/min' has an unknown unit"},
      {{"run", "http://h/", "-R", "0.5/h"}, "sweep.rates: 0.5/h is outside 1/h to 100000000"},
      {{"run", "http://h/", "-R", "1/h", "-n", "200"}, "200 at 1/h take longer than 7 days"},
      {{"run", "http://h/", "-c", "1k", "--connect-rate", "1/h"}, "1000 connections at 1/h take longer than 7 days"},
      {{"run", "http://h/", "--pipeline", "x"}, "--pipeline: 'x'"},
      {{"run", "http://h/", "--agents", "a", "--wait-agents", "0"}, "--wait-agents: 0 is outside 1 to 100000"},
      {{"search", "--rate", "--expect", "p99<1s", "--from", "0", "http://h/"},
       "--from and --to: 0/s to 1,000,000/s is"},
      {{"search", "--rate", "--expect", "p99<1s", "--from", "5", "--to", "0.5", "http://h/"}, "5/s to 0.5/s is empty"},
      {{"run", "http://h/", "-o", "xml=a"}, "-o/--output: 'xml=a' does not say in which form"},
      {{"run", "http://h/", "--wait-agents", "2"}, "need --agents"},
      {{"run", "http://h/", "--agents", "a", "--allow-target", "x"}, "--allow-target"},
      {{"run", "http://h/", "--data", "@/nonexistent"}, "--data: '/nonexistent' cannot be read"},
      {{"run", "http://h/", "-k"}, "tls: has no effect"},
      {{"run", "/nonexistent.yaml"}, "cannot be read"},
      {{"run", "ws://h/", "--data", "x", "--expect-status", "200"}, "expect_status: is of HTTP targets"},
      {{"run", "http://h/", "--on-agent-loss", "fail"}, "--on-agent-loss: has no effect without --agents"},
      {{"run", "ws://h/", "--listen", "-d", "1s", "--subscribe", "{slot}"}, "web_socket.subscribe: has {slot}"},
      {{"run", "http://h/", "-H", "Authorization: ***"}, "'Authorization' is masked"},
      {{"run", "http://h/", "--proxy", "http://***@h:1"}, "masks its user"},
      {{"run", "http://h/", "--timeout"}, "--timeout: needs a value, DURATION; see 'tidemark run --help'"},
      {{"agents", "--agnets", "a"}, "--agnets: unknown flag; did you mean '--agents'?"},
      {{"agents", "--agents", "a,,b"}, "--agents: element 2 of 'a,,b' is empty"},
      {{"agents", "--agents", "a", "--control-certs", "b", "--insecure-control"}, "exclude each other"},
      {{"stop", "--agents", "a"}, "run is required; see 'tidemark stop --help'"},
      {{"certs"}, "a command is missing, one of init, agent, coordinator; see 'tidemark certs --help'"},
      {{"certs", "inti"}, "'inti' is no command; did you mean 'init'?"},
      {{"certs", "init", "--days", "0"}, "--days: 0 is outside 1 to 3650"},
      {{"certs", "init", "--dyas", "1"}, "--dyas: unknown flag; did you mean '--days'?"},
      {{"compare", "a.json"}, "compare: give results on both sides"},
      {{"compare", "a.json", "--"}, "nothing stands behind '--'; see 'tidemark compare --help'"},
      {{"compare", "a.json", "--", "b.json", "--", "c.json"}, "'--' is given twice"},
      {{"compare", "--agents", "a"}, "--agents: unknown flag; see 'tidemark compare --help'"},
      {{"report", "--from-journal", ""}, "--from-journal: has an empty value"},
      {{"report"}, "report: of what? give FILE.json, or --from-journal RUN"},
      {{"report", "a.json", "--from-journal", "a"}, "report: give FILE.json or --from-journal, not both"},
      {{"report", "--from-journal", "a", "-o", "x"}, "-o/--output: 'x' does not say in which form"},
      {{"selftest", "now"}, "'now' is one argument too many; see 'tidemark selftest --help'"},
      {{"completion", "tcsh"}, "shell: 'tcsh' is none of bash, zsh, fish"},
      {{"reference", "plans"}, "page: 'plans' is none; there are flags, "},
      {{"search", "--rate", "--expect", "p99<1s", "-o", "a.csv", "http://h/"}, "-o/--output: 'a.csv': a search is"},
      {{"frobnicate"}, "frobnicate"},
      {{}, "a command is missing, one of run, "},
  };
  for (const auto& [arguments, message] : kCases) {
    const CommandLine line = Parse(arguments);
    EXPECT_TRUE(line.prepared.act == nullptr);
    EXPECT_EQ(line.exit_code, 1) << message;
    EXPECT_NE(line.text.find(message), std::string::npos) << line.text;
    EXPECT_EQ(std::count(line.text.begin(), line.text.end(), '\n'), 1) << line.text;
  }
}

// One line that names the flag and what it was given.
void ExpectNoValueIsTaken(const std::vector<std::string>& arguments, const std::string& flag) {
  std::vector<const char*> words;
  for (const std::string& argument : arguments) words.push_back(argument.c_str());
  const CommandLine line = Parse(words);
  EXPECT_TRUE(line.prepared.act == nullptr) << arguments.back();
  EXPECT_EQ(line.exit_code, 1) << arguments.back();
  EXPECT_NE(line.text.find(flag), std::string::npos) << line.text;
  EXPECT_NE(line.text.find(": takes no value; leave out '"), std::string::npos) << arguments.back() << line.text;
  EXPECT_EQ(std::count(line.text.begin(), line.text.end(), '\n'), 1) << line.text;
}

TEST(CliTest, NoFlagOfAnyCommandTakesAValueThatItHasNoUseFor) {
  int flags = 0;
  for (const CommandRow& command : CommandTable()) {
    const std::vector<std::string> words(command.words.begin() + 1, command.words.end());
    for (const FlagRow& row : command.flags) {
      if (!row.value.empty()) continue;
      for (const std::string& name : row.names) {
        ++flags;
        for (const char* value : {"=5", "=", "=true", "=false"}) {
          std::vector<std::string> arguments = words;
          arguments.push_back(name + value);
          ExpectNoValueIsTaken(arguments, name);
        }
      }
    }
  }
  EXPECT_GE(flags, 60);
  ExpectNoValueIsTaken({"run", "http://h/", "-q5"}, "-q/--quiet: takes no value; leave out '5'");
  ExpectNoValueIsTaken({"run", "http://h/", "-kq=5"}, "-q/--quiet: takes no value; leave out '=5'");
  ExpectNoValueIsTaken({"run", "-c", "5", "http://h/", "--quiet=\x1b[2J"}, "leave out '=?[2J'");
}

TEST(CliTest, WhatLooksLikeAFlagMayBeAValue) {
  for (const std::vector<const char*>& arguments : {std::vector<const char*>{"run", "http://h/", "--data", "--quiet=5"},
                                                    {"run", "http://h/", "-H", "-q: 5", "-q"},
                                                    {"run", "http://h/", "-qc5"},
                                                    {"run", "http://h/", "-q4"},
                                                    {"compare", "a.json", "--", "--help=5"}})
    EXPECT_EQ(Parse(arguments).text.find("takes no value"), std::string::npos) << arguments.back();
  EXPECT_TRUE(Parse({"run", "http://h/", "--data", "--quiet=5"}).prepared.act != nullptr);
  EXPECT_TRUE(Parse({"run", "http://127.0.0.1/", "-q4"}).prepared.act != nullptr);
}

TEST(CliTest, EachCommandThatPrintsInColourMayBeToldNotTo) {
  EXPECT_TRUE(Parse({"run", "http://h/", "--no-color"}).prepared.act != nullptr);
  EXPECT_TRUE(Parse({"search", "http://h/", "--rate", "--expect", "p99<1s", "--no-color"}).prepared.act != nullptr);
  EXPECT_TRUE(Parse({"report", "--from-journal", "a", "--no-color"}).prepared.act != nullptr);
  EXPECT_TRUE(Parse({"report", "a.json", "--no-color"}).prepared.act != nullptr);
}

TEST(CliTest, HelpTeachesWithExamplesAndVersionIsPrinted) {
  const CommandLine help = Parse({"run", "--help"});
  // Each code that the page lists.
  std::ifstream page(TIDEMARK_SOURCE_DIR "/docs/how-to/ci.md");
  bool is_table = false;
  int codes = 0;
  const std::string listed = help.text.substr(std::min(help.text.size(), help.text.find("Exit codes:")));
  for (std::string line; std::getline(page, line);) {
    is_table = is_table ? line.rfind("#", 0) != 0 : line == "## Exit codes";
    int code = 0;
    if (!is_table || std::sscanf(line.c_str(), "| %d |", &code) != 1) continue;
    ++codes;
    EXPECT_TRUE(std::regex_search(listed, std::regex("[ \n]" + std::to_string(code) + " "))) << code << listed;
  }
  EXPECT_GE(codes, 9);
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.text.find("Examples:"), std::string::npos);
  EXPECT_NE(help.text.find("--dry-run"), std::string::npos);
  EXPECT_EQ(Parse({"--version"}).text, "tidemark " TIDEMARK_VERSION "\n");
}

}  // namespace
}  // namespace tidemark
