// Who looks at a run: told in order, of the windows that the report is made of, and never waited for.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/mutex.h"
#include "coordinator/observe/detached_observer.h"
#include "tests/support/played_agent.h"

namespace tidemark {
namespace {

// Writes down what it is told. While the gate is shut its first answer takes as long.
class Notebook final : public RunObserver {
 public:
  void BeginPoint(const PointBegin& point) override { Write(absl::StrCat("begin ", point.index, "/", point.count)); }
  void Update(const PointSoFar& so_far) override { Write(absl::StrCat("update ", so_far.done)); }
  void AddWindow(const std::shared_ptr<const WindowSum>& window) override {
    Write(absl::StrCat("window ", window->second));
    windows.push_back(window);
  }
  void EndPoint(const PointSoFar& so_far) override { Write(absl::StrCat("end ", so_far.done)); }
  void Say(const std::string& text) override { Write(absl::StrCat("say ", text)); }

  void Shut() {
    MutexLock lock(&mutex_);
    is_shut_ = true;
  }
  void Open() {
    {
      MutexLock lock(&mutex_);
      is_shut_ = false;
    }
    changed_.NotifyAll();
  }

  std::vector<std::string> lines;
  std::vector<std::shared_ptr<const WindowSum>> windows;

 private:
  void Write(std::string line) {
    lines.push_back(std::move(line));
    MutexLock lock(&mutex_);
    while (is_shut_) changed_.Wait(&mutex_);
  }

  Mutex mutex_;
  CondVar changed_;
  bool is_shut_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST(ObserverTest, EachViewIsToldOfTheWindowsThatTheReportIsMadeOf) {
  PlayedAgent agent(PlayedAgent::Bent([](proto::Event*) { return true; }));
  proto::Plan plan = SmallPlan();
  plan.mutable_sweep()->add_connections(1);
  plan.mutable_sweep()->set_requests(0);
  plan.mutable_sweep()->mutable_duration()->set_nanos(1'000'000);
  auto found = FindAgents({.addresses = {agent.address}, .allow_targets = {}, .control_certs = {}});
  ASSERT_TRUE(found.ok()) << found.status();
  RunEvents events;
  Notebook first;
  Notebook second;
  tidemark::Run run(plan, *std::move(found), &events, &first);
  run.Show(&second);
  const RunResult result = run.Execute();
  const std::string notes = absl::StrJoin(result.notes, "\n");
  EXPECT_EQ(first.lines, second.lines);
  ASSERT_EQ(result.points.size(), 2u) << notes;
  std::vector<std::string> expected;
  for (int i = 0; i < 2; ++i) expected.insert(expected.end(), {absl::StrCat("begin ", i, "/2"), "window 0", "end 0"});
  std::vector<std::string> told;
  for (const std::string& line : first.lines) {
    if (line.rfind("update", 0) != 0) told.push_back(line);
  }
  EXPECT_EQ(told, expected) << notes;
  EXPECT_LT(told.size(), first.lines.size()) << "updates too";
  ASSERT_EQ(first.windows.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(first.windows[i], second.windows[i]) << "the same, not a copy";
    EXPECT_EQ(first.windows[i]->second, result.points[i].merger->windows()[0].second);
  }
}

TEST(ObserverTest, ARunEndsThoughAViewDoesNotAnswer) {
  PlayedAgent agent(PlayedAgent::Bent([](proto::Event*) { return true; }));
  proto::Plan plan = SmallPlan();
  plan.mutable_sweep()->set_requests(0);
  plan.mutable_sweep()->mutable_duration()->set_nanos(1'000'000);
  auto found = FindAgents({.addresses = {agent.address}, .allow_targets = {}, .control_certs = {}});
  ASSERT_TRUE(found.ok()) << found.status();
  RunEvents events;
  Notebook stuck;
  Notebook other;
  stuck.Shut();
  {
    DetachedObserver behind(&stuck);
    DetachedObserver beside(&other);
    tidemark::Run run(plan, *std::move(found), &events, &behind);
    run.Show(&beside);
    const RunResult result = run.Execute();
    EXPECT_EQ(result.points.size(), 1u) << absl::StrJoin(result.notes, "\n");
    stuck.Open();
  }
  EXPECT_EQ(stuck.lines.front(), "begin 0/1");
  EXPECT_EQ(stuck.lines.back(), "end 0") << "it was told the rest";
  EXPECT_EQ(other.lines.back(), "end 0");
}

TEST(ObserverTest, AViewThatIsBehindMissesOldUpdatesAndTheOldestWindowsAlone) {
  Notebook view;
  view.Shut();
  {
    DetachedObserver behind(&view);
    behind.BeginPoint({.count = 1});
    for (std::uint64_t i = 0; i < 1'000; ++i) behind.Update({.done = i});
    behind.Say("a word");
    for (std::uint32_t i = 0; i < 100; ++i) {
      WindowSum window;
      window.second = i;
      behind.AddWindow(std::make_shared<const WindowSum>(window));
    }
    behind.EndPoint({.done = 7});
    EXPECT_EQ(behind.missed(), 100 - DetachedObserver::kMaxWindows);
    view.Open();
  }
  // Its thread may have taken the first call at any time before the gate held it.
  EXPECT_EQ(view.lines.front(), "begin 0/1");
  EXPECT_EQ(view.lines.back(), "end 7");
  EXPECT_EQ(std::count(view.lines.begin(), view.lines.end(), "say a word"), 1);
  EXPECT_EQ(std::count(view.lines.begin(), view.lines.end(), "update 999"), 1);
  EXPECT_EQ(std::count(view.lines.begin(), view.lines.end(), "update 998"), 0);
  ASSERT_EQ(view.windows.size(), DetachedObserver::kMaxWindows);
  for (std::size_t i = 0; i < view.windows.size(); ++i)
    EXPECT_EQ(view.windows[i]->second, 100 - DetachedObserver::kMaxWindows + i);
}

}  // namespace
}  // namespace tidemark
