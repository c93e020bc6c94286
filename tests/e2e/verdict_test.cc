// A16: whose fault it is when a point falls short, with a generator that is starved and a target that is slowed.
#include <filesystem>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

// How often each side is tried: all of A16 with scripts/test --all.
int Rounds() { return std::getenv("TIDEMARK_FULL") != nullptr ? 100 : 3; }

// A control group that may use so many percent of a core.
class PartOfACore {
 public:
  explicit PartOfACore(int percent) {
    const std::string quota = std::to_string(percent * 1'000);
    for (const char* root : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup"}) {
      path_ = std::string(root) + "/tidemark-test-" + std::to_string(getpid());
      std::error_code ec;
      if (!std::filesystem::exists(root, ec) || !std::filesystem::create_directory(path_, ec)) continue;
      is_there_ =
          Write("cpu.cfs_period_us", "100000") ? Write("cpu.cfs_quota_us", quota) : Write("cpu.max", quota + " 100000");
      if (is_there_) return;
      std::filesystem::remove(path_, ec);
    }
  }
  ~PartOfACore() {
    if (is_there_) rmdir(path_.c_str());
  }
  bool IsThere() const { return is_there_; }
  // A command prefix that runs what follows in the group, on a core of its own if there are several.
  std::vector<std::string> Prefix() const {
    std::vector<std::string> prefix = {"sh", "-c", "echo $$ >" + path_ + "/cgroup.procs && exec \"$0\" \"$@\""};
    for (const std::string& part : OnCore(0)) prefix.push_back(part);
    return prefix;
  }

 private:
  bool Write(const char* file, const std::string& text) const {
    const std::string name = path_ + "/" + file;
    if (!std::filesystem::exists(name)) return false;
    std::ofstream out(name);
    out << text;
    out.flush();
    return out.good();
  }
  std::string path_;
  bool is_there_ = false;
};

std::string Verdict(const RunOutcome& run) { return std::string(At(run.report, "points.0.verdict").as_string()); }

TEST(VerdictTest, AStarvedGeneratorBlamesItself) {
  const PartOfACore group(20);
  if (!group.IsThere()) GTEST_SKIP() << "needs control groups";
  Mock mock(OnCore(1));
  int right = 0;
  for (int i = 0; i < Rounds(); ++i) {
    const RunOutcome run = TidemarkRun(
        {"-R", "100k", "-d", "1s", "-c", "64", "-t", "1", "--timeout", "1s", "--strict", mock.Url()}, group.Prefix());
    right += Verdict(run) == "GENERATOR_LIMITED" && run.code == 4 ? 1 : 0;
  }
  EXPECT_GE(right, Rounds() * 99 / 100);
}

// Its own figures are its own stalls; on the wire, by the kernel's stamps, stands what the target took, as its own
// record says by its own kernel's.
TEST(VerdictTest, AStarvedGeneratorStillTellsWhatTheTargetTook) {
  const PartOfACore group(5);
  if (!group.IsThere()) GTEST_SKIP() << "needs control groups";
  for (const char* load : {"", "-R"}) {
    Mock mock(OnCore(1));
    std::vector<std::string> arguments = {"-d", "4s", "-c", "50", "-t", "1", "--warmup", "0"};
    if (*load != '\0') arguments.insert(arguments.end(), {load, "500", "--arrivals", "constant"});
    arguments.push_back(mock.Url("/mock/delay=5ms"));
    const RunOutcome run = TidemarkRun(arguments, group.Prefix());
    EXPECT_EQ(Verdict(run), "GENERATOR_LIMITED") << run.out;
    EXPECT_EQ(At(run.report, "points.0.generator").as_string(), "LIMITED");
    EXPECT_NE(At(run.report, "points.0.target").as_string(), "FAILING") << run.out;
    const auto truth = mock.Truth();
    // The mock may have to wait for its core too: then that is in its record as well.
    EXPECT_GT(Number(run.report, "points.0.latency.mean_us"), 1.05 * Number(truth, "residence.mean_us")) << run.out;
    for (const char* name : {"mean_us", "p50_us", "p90_us"}) {
      const double theirs = Number(truth, std::string("residence.") + name);
      EXPECT_NEAR(Number(run.report, std::string("points.0.wire.") + name), theirs, 0.02 * theirs + 100)
          << name << "\n"
          << boost::json::serialize(truth) << "\n"
          << run.out;
    }
  }
}

TEST(VerdictTest, ASlowTargetIsBlamed) {
  Mock mock(OnCore(1));
  int right = 0;
  for (int i = 0; i < Rounds(); ++i) {
    const RunOutcome run = TidemarkRun(
        {"-R", "600", "-d", "1s", "-c", "20", "-t", "1", "--timeout", "5s", "--strict", mock.Url("/mock/queue=5ms")},
        OnCore(0));
    right += Verdict(run) == "TARGET_LIMITED" && run.code == 0 ? 1 : 0;
  }
  EXPECT_GE(right, Rounds() * 99 / 100);
}

TEST(VerdictTest, ATargetThatKeepsUpIsValid) {
  Mock mock(OnCore(1));
  const RunOutcome run = TidemarkRun(
      {"-R", "500", "-d", "2s", "-c", "100", "-t", "1", "--strict", mock.Url("/mock/delay=50ms")}, OnCore(0));
  EXPECT_EQ(run.code, 0) << run.out;
  EXPECT_EQ(Verdict(run), "VALID") << At(run.report, "points.0.verdict_reason");
}

}  // namespace
}  // namespace tidemark
