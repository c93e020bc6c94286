// How the tests are judged: whose fault a failure is, what runs again, what is listed.
#include "tests/support/machine_watch.h"
#include "tests/support/process.h"

namespace tidemark {
namespace {

// Keeps a core busy, or as much of it as it gets.
std::vector<std::string> BusyLoop() { return {"sh", "-c", "while :; do :; done"}; }

// Of a program of ours that slept through the watch; beside it one that is none of its own.
TEST(MachineWatchTest, WhatOthersUseIsSeenAndWhatOursUseIsNot) {
  Process ours({"sleep", "600"});
  Process busy(BusyLoop());
  MachineWatch of_the_sleeper(ours.pid());
  MachineWatch of_the_busy(busy.pid());
  const Nanos end = MonotonicNow() + 3 * kSecond;
  while (MonotonicNow() < end) of_the_sleeper.Sleep();
  of_the_sleeper.EndSlice();
  of_the_busy.EndSlice();
  // Whatever else the machine does: the loop is another's to the first watch, and not to the second.
  const std::string stat = Slurp("/proc/" + std::to_string(busy.pid()) + "/schedstat");
  const double used_percent = 100 * std::stod(stat) / 3e9;
  EXPECT_GT(used_percent, 2);
  EXPECT_NEAR(of_the_sleeper.seen().others_percent - of_the_busy.seen().others_percent, used_percent, 5);
  EXPECT_TRUE(of_the_sleeper.seen().WasDisturbed()) << of_the_sleeper.seen().ToString();
}

TEST(MachineWatchTest, DescendantsAreOursAlsoWhenTheyHaveEnded) {
  // A grandchild computes for a second, and is waited for.
  Process ours({"sh", "-c", "sh -c 'timeout 1 sh -c \"while :; do :; done\"; sleep 1'; sleep 600"});
  MachineWatch watch(ours.pid());
  MachineWatch of_nobody(Process({"true"}).pid());
  const Nanos end = MonotonicNow() + 3 * kSecond;
  while (MonotonicNow() < end) watch.Sleep();
  watch.EndSlice();
  of_nobody.EndSlice();
  EXPECT_GT(of_nobody.seen().others_percent - watch.seen().others_percent, 3);  // it had a tenth of a core at the least
}

// Exit code and output of one of the tests in judged.cc.
struct Judged {
  int code;
  std::string out;
};
Judged JudgedOf(const std::string& test, std::vector<std::string> prefix = {}) {
  prefix.insert(prefix.end(), {TIDEMARK_JUDGED, "--gtest_filter=Judged." + test, "--judges-times"});
  Process process(prefix);
  const int code = process.Wait();
  return {code, process.Out()};
}

bool IsSpoilt(const Judged& judged) {
  return judged.out.find("\n[  SPOILT  ] the machine was busy for ") != std::string::npos;
}

TEST(JudgingTest, AFailureIsSpoiltWhereOthersAreBusy) {
  Process busy(BusyLoop());
  const Judged fails = JudgedOf("Fails");
  EXPECT_EQ(fails.code, 1);
  EXPECT_TRUE(IsSpoilt(fails)) << fails.out;
}

TEST(JudgingTest, ACrashIsNeverSpoilt) {
  Process busy(BusyLoop());
  const Judged crashes = JudgedOf("Crashes");
  EXPECT_EQ(crashes.code, 1);
  EXPECT_FALSE(IsSpoilt(crashes)) << crashes.out;
}

TEST(JudgingTest, WhatPassesOrIsSkippedIsNoFailure) {
  Process busy(BusyLoop());
  for (const char* test : {"Passes", "IsSkipped"}) {
    const Judged judged = JudgedOf(test);
    EXPECT_EQ(judged.code, 0) << judged.out;
    EXPECT_FALSE(IsSpoilt(judged)) << judged.out;
  }
}

// Also of a test that keeps a core busy itself. On a machine that others disturb this test is itself spoilt.
TEST(JudgingTest, AFailureOnAQuietMachineIsNotSpoilt) {
  for (const char* test : {"Fails", "FailsWhileBusyItself"}) {
    const Judged fails = JudgedOf(test);
    EXPECT_EQ(fails.code, 1);
    EXPECT_FALSE(IsSpoilt(fails)) << fails.out;
  }
}

// A build folder whose tests end as their names say, and scripts/run-tests on it.
struct Tests {
  explicit Tests(const std::vector<std::pair<std::string, std::string>>& commands) {
    std::string text;
    for (const auto& [name, command] : commands)
      text += "add_test([==[" + name + "]==] sh -c [==[cd " + (dir / "") + "; " + command + "]==])\n" +
              "set_tests_properties([==[" + name + "]==] PROPERTIES SKIP_RETURN_CODE 77)\n";
    Spill(dir / "CTestTestfile.cmake", text);
    Process process({TIDEMARK_SOURCE_DIR "/scripts/run-tests", dir / "log", dir / "not_judged", "--test-dir", dir / "",
                     "--output-on-failure", "-j", "4"});
    code = process.Wait();
    out = process.Out();
  }
  bool Says(const std::string& text) const { return out.find(text) != std::string::npos; }

  TempDir dir;
  int code;
  std::string out;
};

constexpr char kSpoilt[] = "echo '[  SPOILT  ] the machine was busy for 41 % (of a core: more)'; exit 1";
// The first time only.
std::string Once(const std::string& name, const std::string& then) {
  return "[ -e " + name + " ] || { touch " + name + "; " + kSpoilt + "; }; " + then;
}

TEST(RunTestsTest, WithoutDisturbanceTheLastLinesAreThoseOfCtest) {
  const Tests tests({{"A.One", "true"}, {"A.Two", "true"}});
  EXPECT_EQ(tests.code, 0) << tests.out;
  EXPECT_TRUE(tests.Says("\n100% tests passed, 0 tests failed out of 2\n")) << tests.out;
  for (const char* word : {"poilt", "not judged", "not run"}) EXPECT_FALSE(tests.Says(word)) << tests.out;
}

TEST(RunTestsTest, WhatWasSpoiltRunsAgainAndIsJudgedThen) {
  const Tests tests({{"A.Passes", "true"}, {"B.Spoilt/x.y[needs z]", Once("b", "true")}});
  EXPECT_EQ(tests.code, 0) << tests.out;
  EXPECT_TRUE(tests.Says("***Spoilt")) << tests.out;
  EXPECT_FALSE(tests.Says("Failed")) << tests.out;
  EXPECT_TRUE(tests.Says("\n100% tests passed, 0 tests failed out of 2\n")) << tests.out;
  EXPECT_EQ(Slurp(tests.dir / "not_judged"), "");
}

TEST(RunTestsTest, WhatIsSpoiltAgainIsListedAndNeverFailed) {
  const Tests tests({{"A.Passes", "true"}, {"B.Spoilt", kSpoilt}, {"C.Skipped[needs rights]", "exit 77"}});
  EXPECT_EQ(tests.code, 0) << tests.out;
  EXPECT_TRUE(tests.Says("\nnot judged: the machine was busy for 41 %: B.Spoilt\n")) << tests.out;
  EXPECT_TRUE(tests.Says("\nnot run: needs rights: C.Skipped\n")) << tests.out;
  EXPECT_TRUE(tests.Says("\n100% tests passed, 0 tests failed out of 2\n")) << tests.out;
  EXPECT_EQ(Slurp(tests.dir / "not_judged"), "B.Spoilt\n");
}

TEST(RunTestsTest, AFailureStaysOneWhateverWasSpoilt) {
  // One that fails at once and would pass the second time, one that fails when it is judged.
  const Tests tests({{"A.Fails", "[ -e a ] && exit 0; touch a; echo x.cc:7: Failure; echo detail; exit 1"},
                     {"B.Spoilt", kSpoilt},
                     {"C.SpoiltThenFails", Once("c", "exit 1")}});
  EXPECT_EQ(tests.code, 8) << tests.out;
  EXPECT_TRUE(tests.Says("The following tests FAILED:\n\tA.Fails\n\tC.SpoiltThenFails\n")) << tests.out;
  EXPECT_TRUE(tests.Says("\n0% tests passed, 2 tests failed out of 2\n")) << tests.out;
  EXPECT_TRUE(tests.Says("not judged: the machine was busy for 41 %: B.Spoilt\n")) << tests.out;
  // Why is said where it happened, and at the end.
  EXPECT_TRUE(tests.Says("detail")) << tests.out;
  EXPECT_GT(tests.out.rfind("x.cc:7: Failure\ndetail\n"), tests.out.find("They run once more")) << tests.out;
}

// Of the watch, which has the last word. A test that shows what another said is not spoilt by it.
TEST(RunTestsTest, TheWordOfATestItselfDoesNotSpoilIt) {
  const Tests tests({{"A.Passes", "true"}, {"A.Shows", "echo '[  SPOILT  ] x'; echo ' 1 FAILED TEST'; exit 1"}});
  EXPECT_EQ(tests.code, 8) << tests.out;
}

TEST(RunTestsTest, ACrashIsAFailureWhateverItSaid) {
  const Tests tests(
      {{"A.Passes", "true"}, {"A.Dies", "echo '[  SPOILT  ] the machine was busy for 41 % (x)'; kill -SEGV $$"}});
  EXPECT_EQ(tests.code, 8) << tests.out;
}

}  // namespace
}  // namespace tidemark
