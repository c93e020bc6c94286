#include "coordinator/cli.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/plan.h"

namespace tidemark {
namespace {

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tidemark");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CliTest, AUrlAloneIsTheDefaultSweep) {
  const CommandLine line = Parse({"run", "http://127.0.0.1/"});
  ASSERT_TRUE(line.command == Command::kRun) << line.text;
  EXPECT_EQ(line.options.plan.sweep().connections_size(), 5);
  EXPECT_TRUE(line.options.agents.addresses.empty());
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
  ASSERT_TRUE(line.command == Command::kRun) << line.text;
  const proto::Plan& plan = line.options.plan;
  EXPECT_EQ(plan.sweep().connections(1), 1000);
  EXPECT_EQ(FromProto(plan.sweep().duration()), 2 * kSecond);
  EXPECT_EQ(plan.threads(), 3);
  EXPECT_TRUE(plan.pin_threads());
  EXPECT_EQ(plan.requests(0).method(), "PUT");
  EXPECT_EQ(plan.requests(0).body(), "body");
  EXPECT_EQ(plan.source_addresses_size(), 2);
  EXPECT_TRUE(plan.tls().insecure());
  EXPECT_EQ(line.options.agents.addresses, (std::vector<std::string>{"a:1", "dns:b"}));
  EXPECT_EQ(line.options.outputs.size(), 2u);
}

TEST(CliTest, HowTheTargetIsReachedAndHowLongAConnectionLastsAreFlags) {
  const auto plan = [](std::vector<const char*> flags) {
    flags.insert(flags.begin(), {"run", "http://h:81/"});
    const CommandLine line = Parse(flags);
    EXPECT_TRUE(line.command == Command::kRun) << line.text;
    return line.options.plan;
  };
  EXPECT_EQ(plan({"--connect-to", "h:81:127.0.0.1:82"}).connect_to(0), "h:81:127.0.0.1:82");
  EXPECT_EQ(plan({"-4"}).ip_family(), "4");
  EXPECT_EQ(plan({"-6"}).ip_family(), "6");
  EXPECT_EQ(FromProto(plan({"--resolve-every", "30s"}).resolve_every()), 30 * kSecond);
  EXPECT_EQ(plan({"--proxy", "http://127.0.0.1:3128"}).proxy(), "http://127.0.0.1:3128");
  EXPECT_EQ(plan({"--follow", "3"}).follow(), 3);
  EXPECT_EQ(plan({"--reconnect-after", "1k"}).sweep().reconnect_after(), 1000);
  EXPECT_EQ(FromProto(plan({"--drain", "5s"}).sweep().drain()), 5 * kSecond);
}

TEST(CliTest, BadInputIsOneLineAndExitCodeOne) {
  const std::pair<std::vector<const char*>, const char*> kCases[] = {
      {{"run"}, "target is required"},
      {{"run", "h"}, "neither a URL nor a plan file"},
      {{"run", "http://h/", "-c", "0"}, "0 is outside 1 to"},
      {{"run", "http://h/", "-c", "99G"}, "is outside 1 to"},
      {{"run", "http://h/", "-c", "ten"}, "-c/--connections: 'ten'"},
      {{"run", "http://h/", "-d", "30"}, "-d/--duration: '30' has no unit"},
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
      {{"run", "http://h/", "--follow", "-1"}, "--follow: '-1'"},
      {{"run", "http://h/", "--reconnect-after", "x"}, "--reconnect-after: 'x'"},
      {{"run", "http://h/", "--bogus"}, "--bogus"},
      {{"run", "http://h/", "-o", "xml=a"}, "-o: 'xml=a'"},
      {{"run", "http://h/", "--wait-agents", "2"}, "need --agents"},
      {{"run", "http://h/", "--agents", "a", "--allow-target", "x"}, "--allow-target"},
      {{"run", "http://h/", "--data", "@/nonexistent"}, "--data: '/nonexistent' cannot be read"},
      {{"run", "http://h/", "-k"}, "tls: has no effect"},
      {{"run", "/nonexistent.yaml"}, "cannot be read"},
      {{"frobnicate"}, "frobnicate"},
      {{}, "a command is missing"},
  };
  for (const auto& [arguments, message] : kCases) {
    const CommandLine line = Parse(arguments);
    EXPECT_FALSE(line.command == Command::kRun);
    EXPECT_EQ(line.exit_code, 1) << message;
    EXPECT_NE(line.text.find(message), std::string::npos) << line.text;
    EXPECT_EQ(std::count(line.text.begin(), line.text.end(), '\n'), 1) << line.text;
  }
}

TEST(CliTest, HelpTeachesWithExamplesAndVersionIsPrinted) {
  const CommandLine help = Parse({"run", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.text.find("Examples:"), std::string::npos);
  EXPECT_NE(help.text.find("--dry-run"), std::string::npos);
  EXPECT_EQ(Parse({"--version"}).text, "tidemark " TIDEMARK_VERSION "\n");
}

}  // namespace
}  // namespace tidemark
