#include "coordinator/cli/plan_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "coordinator/cli/cli.h"
#include "tests/support/process.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

proto::Plan PlanOf(std::vector<std::string> arguments) {
  std::vector<const char*> words = {"tidemark", "run"};
  for (const std::string& argument : arguments) words.push_back(argument.c_str());
  const CommandLine line = ParseCommandLine(static_cast<int>(words.size()), words.data());
  EXPECT_TRUE(line.prepared.options != nullptr) << line.text;
  return line.prepared.options == nullptr ? proto::Plan() : line.prepared.options->plan;
}

void ExpectTheSameAgain(const proto::Plan& plan) {
  TempDir dir;
  const std::string text = PlanAsFile(plan);
  EXPECT_THAT(text, Not(HasSubstr("Cannot be run")));
  Spill(dir / "again.yaml", text);
  EXPECT_EQ(PlanOf({dir / "again.yaml"}).DebugString(), plan.DebugString()) << text;
}

TEST(PlanTextTest, EachExampleIsTheSamePlanAgain) {
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TIDEMARK_SOURCE_DIR "/examples")) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().string());
    ExpectTheSameAgain(PlanOf({entry.path().string()}));
    ++examples;
  }
  EXPECT_GE(examples, 9);
}

TEST(PlanTextTest, SoAreFlags) {
  TempDir dir;
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  Spill(dir / "bytes", bytes);
  const std::vector<std::vector<std::string>> kCases = {
      {"http://h/"},
      {"http://h/", "-c", "1,2,1k", "-d", "504800.123456789s", "--drain", "1ms", "--connect-rate", "10/h"},
      {"http://h/", "-c", "3", "-n", "1M", "--warmup", "0", "--think-time", "123456789ns", "--new-connection"},
      {"http://h/", "-R", "0.5,30/m,7/h,12345.678", "-d", "90s", "--warmup", "1500us"},
      {"http://h/", "-R", "5k", "-n", "100", "--arrivals", "constant", "--pace", "spin", "-c", "7"},
      {"https://h/", "-k", "--cacert", "/a b", "--cert", "c", "--key", "d", "--no-resume", "-c", "1", "-d", "1s"},
      {"http://h:81/", "--resolve", "h:81:127.0.0.1", "--source", "127.0.0.2,127.0.0.3", "-4", "--follow", "3"},
      {"http://h:81/", "--connect-to", "h:81:g:82", "--resolve-every", "30s", "--max-response", "10MiB"},
      {"http://h/", "--json", R"({"id":"{slot}", "a":[1,{"b":"'\"\\ # : "}]})", "-H", "X-A: {slot}"},
      {"http://h/", "--data", "@" + (dir / "bytes")},
      {"http://h/", "--data", ""},
      {"http://h/", "--data", "two\nlines\t\xc3\xa9\n", "-X", "PUT", "--expect-status", "200-204,404"},
      {"http://h/", "-H", "Authorization: Bearer {env:TOKEN}", "--proxy", "http://{env:PROXY}@p:1"},
      {"http://h/", "--expect", "p99<20ms", "--expect", "error_rate<0.1%", "--kernel-timestamps", "0", "-t", "2"},
      {"http://h/", "-c", "9", "-d", "5s", "--until", "p99:5%", "--reconnect-after", "100", "--pin"},
      {"ws://h/", "--data", "{\"id\":\"{slot}\"}", "--reply-id", "/id", "--pipeline", "8", "--binary", "--deflate"},
      {"ws://h/", "--listen", "-d", "1s", "--subscribe", "{\"a\":1}", "--ack", "/result=null", "--subprotocol", "x"},
      {"unix:/run/a.sock:/x?y=z", "--timeout", "1s", "--connect-timeout", "2s", "-F", "a b=c&d"},
  };
  for (const auto& flags : kCases) {
    SCOPED_TRACE(::testing::PrintToString(flags));
    ExpectTheSameAgain(PlanOf(flags));
  }
}

TEST(PlanTextTest, WhatIsSecretIsMaskedAndSaidSo) {
  const std::string user = PlanAsFile(PlanOf({"http://h/", "-u", "me:hunter2", "-H", "X-Api-Key: hunter2 {env:A}"}));
  EXPECT_THAT(user,
              StartsWith("# Cannot be run as printed: *** masks X-Api-Key, Authorization; write the value there"));
  EXPECT_THAT(user, HasSubstr("\"Authorization: ***\""));
  EXPECT_THAT(user, Not(HasSubstr("hunter2")));
  const std::string proxy = PlanAsFile(PlanOf({"http://h/", "--proxy", "http://me:hunter2@p:1"}));
  EXPECT_THAT(proxy, StartsWith("# Cannot be run as printed: *** masks proxy"));
  EXPECT_THAT(proxy, Not(HasSubstr("hunter2")));
}

TEST(PlanTextTest, AFileThatIsTooLargeSaysSo) {
  TempDir dir;
  Spill(dir / "body", std::string(5 << 20, 'a'));
  EXPECT_THAT(PlanAsFile(PlanOf({"http://h/", "--data", "@" + (dir / "body")})),
              StartsWith("# Cannot be run as printed: it: larger than 4 MiB"));
}

}  // namespace
}  // namespace tidemark
