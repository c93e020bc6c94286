#include "tests/e2e/part_of_a_core.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>

namespace tidemark {

PartOfACore::PartOfACore(int percent) {
  static std::atomic<int> made{0};
  const std::string name = "/tidemark-test-" + std::to_string(getpid()) + "-" + std::to_string(made++);
  const std::string quota = std::to_string(percent * 1'000);
  for (const char* root : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup"}) {
    path_ = root + name;
    std::error_code ec;
    if (!std::filesystem::exists(root, ec) || !std::filesystem::create_directory(path_, ec)) continue;
    is_there_ =
        Write("cpu.cfs_period_us", "100000") ? Write("cpu.cfs_quota_us", quota) : Write("cpu.max", quota + " 100000");
    if (is_there_) return;
    std::filesystem::remove(path_, ec);
  }
}

PartOfACore::~PartOfACore() {
  if (is_there_) rmdir(path_.c_str());
}

std::vector<std::string> PartOfACore::Prefix() const {
  std::vector<std::string> prefix = {"sh", "-c", "echo $$ >" + path_ + "/cgroup.procs && exec \"$0\" \"$@\""};
  for (const std::string& part : OnCore(0)) prefix.push_back(part);
  return prefix;
}

bool PartOfACore::Write(const char* file, const std::string& text) const {
  const std::string name = path_ + "/" + file;
  if (!std::filesystem::exists(name)) return false;
  std::ofstream out(name);
  out << text;
  out.flush();
  return out.good();
}

}  // namespace tidemark
