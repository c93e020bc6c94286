#include "coordinator/cli/files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

std::size_t FilesIn(const TempDir& dir) {
  const std::filesystem::directory_iterator files(dir / "");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

mode_t ModeOf(const std::string& path) {
  struct stat facts = {};
  stat(path.c_str(), &facts);
  return facts.st_mode & 0777;
}

TEST(FilesTest, AFileIsReplacedAsAWholeAndKeepsItsMode) {
  const TempDir dir;
  ASSERT_OK(WriteFile(dir / "run.json", "one"));
  EXPECT_EQ(Slurp(dir / "run.json"), "one");
  chmod((dir / "run.json").c_str(), 0600);
  ASSERT_OK(WriteFile(dir / "run.json", "two, and longer"));
  EXPECT_EQ(Slurp(dir / "run.json"), "two, and longer");
  EXPECT_EQ(ModeOf(dir / "run.json"), mode_t{0600});
  EXPECT_EQ(FilesIn(dir), 1u);
}

TEST(FilesTest, AFullDiskLeavesTheOldFileAndNoPartOfTheNewOne) {
  const TempDir dir;
  ASSERT_OK(WriteFile(dir / "run.json", "old"));
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit little = {.rlim_cur = 1'000, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &little);
  const absl::Status replaced = WriteFile(dir / "run.json", std::string(5'000, 'x'));
  const absl::Status made = WriteFile(dir / "new.json", std::string(5'000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_DFL);
  EXPECT_THAT(replaced, FailsWith("cannot be written"));
  EXPECT_THAT(made, FailsWith("cannot be written"));
  EXPECT_EQ(Slurp(dir / "run.json"), "old");
  EXPECT_EQ(FilesIn(dir), 1u);
}

TEST(FilesTest, ALinkAndAPipeAreWrittenThrough) {
  const TempDir dir;
  ASSERT_OK(WriteFile(dir / "real.json", "old"));
  ASSERT_EQ(symlink("real.json", (dir / "run.json").c_str()), 0);
  ASSERT_OK(WriteFile(dir / "run.json", "new"));
  EXPECT_EQ(Slurp(dir / "real.json"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "run.json"));

  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = Slurp(dir / "pipe"); });
  EXPECT_OK(WriteFile(dir / "pipe", "through"));
  reader.join();
  EXPECT_EQ(read, "through");
}

TEST(FilesTest, TwoFormatsNeverShareAFile) {
  const TempDir dir;
  const std::string path = dir / "run.json";
  const Output json{.format = FindFormat("json"), .path = path};
  EXPECT_OK(CheckOutputs({json, {.format = FindFormat("csv"), .path = dir / "run.csv"}}));
  for (const std::string& same : {path, dir / "./run.json"})
    EXPECT_THAT(CheckOutputs({json, {.format = FindFormat("csv"), .path = same}}), FailsWith("is given twice"));
  const Output out{.format = FindFormat("json"), .path = "-"};
  EXPECT_THAT(CheckOutputs({out, {.format = FindFormat("csv"), .path = "-"}}), FailsWith("(stdout) is given twice"));
}

}  // namespace
}  // namespace tidemark
