#include "tests/support/machine_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace tidemark {
namespace {

// The start of a file in /proc; "" if it is gone.
std::string Head(const std::string& path) {
  char text[4096];
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t length = read(fd, text, sizeof text);
  close(fd);
  return std::string(text, length > 0 ? static_cast<std::size_t>(length) : 0);
}

// The numbers of `text`, which stand between blanks; what is no number counts as 0.
std::vector<std::int64_t> Numbers(const char* text) {
  std::vector<std::int64_t> numbers;
  for (const char* at = text; *(at += std::strspn(at, " \n")) != '\0'; at += std::strcspn(at, " \n"))
    numbers.push_back(std::strtoll(at, nullptr, 10));
  return numbers;
}

Nanos OfTicks(std::int64_t ticks) { return ticks * (kSecond / sysconf(_SC_CLK_TCK)); }

// Names of the folder's entries that are numbers.
std::vector<std::string> Ids(const std::string& path) {
  std::vector<std::string> ids;
  DIR* const folder = opendir(path.c_str());
  if (folder == nullptr) return ids;
  while (const dirent* const entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ids.emplace_back(entry->d_name);
  }
  closedir(folder);
  return ids;
}

// Of a process: utime, stime, cutime and cstime of proc(5).
Nanos CpuTimeOf(const std::string& process) {
  const std::string stat = Head(process + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  const std::vector<std::int64_t> fields = Numbers(stat.c_str() + name_end + 1);  // from the third on
  return fields.size() < 15 ? 0 : OfTicks(fields[11] + fields[12] + fields[13] + fields[14]);
}

Nanos WaitOf(const std::string& task) {
  const std::vector<std::int64_t> fields = Numbers(Head(task + "/schedstat").c_str());
  return fields.size() < 2 ? 0 : fields[1];
}

double Percent(Nanos part, Nanos whole) {
  return whole <= 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::string Disturbance::ToString() const {
  char text[256];
  std::snprintf(
      text, sizeof text,
      "the machine was busy for %.0f %% (of a core: other programs %.1f %%, steal %.1f %%, our threads waited "
      "%.1f %%; stalls %.0f ms)",
      busy_percent, others_percent, steal_percent, waited_percent, static_cast<double>(stall) / kMillisecond);
  return text;
}

MachineWatch::MachineWatch(pid_t root) : root_(root), last_(Read()), canary_waited_(WaitOf("/proc/thread-self")) {}

MachineWatch::Reading MachineWatch::Read() const {
  Reading now;
  // user, nice and system of all cores, and steal.
  const std::string stat = Head("/proc/stat");
  const std::vector<std::int64_t> fields = Numbers(stat.c_str() + std::min(stat.size(), std::strlen("cpu")));
  if (fields.size() >= 8) {
    now.all = OfTicks(fields[0] + fields[1] + fields[2]);
    now.steal = OfTicks(fields[7]);
  }
  now.at = MonotonicNow();
  std::vector<std::string> processes = {std::to_string(root_)};
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const std::string process = "/proc/" + processes[i];
    now.ours += CpuTimeOf(process);
    for (const std::string& id : Ids(process + "/task")) {
      const std::string task = process + "/task/" + id;
      now.waited += WaitOf(task);
      for (const std::int64_t child : Numbers(Head(task + "/children").c_str()))
        processes.push_back(std::to_string(child));
    }
  }
  return now;
}

void MachineWatch::Sleep() {
  const Nanos asked_until = MonotonicNow() + kMillisecond;
  const timespec until = {.tv_sec = asked_until / kSecond, .tv_nsec = asked_until % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  if (const Nanos late = MonotonicNow() - asked_until; late >= kStall) {
    const Nanos waited = WaitOf("/proc/thread-self");
    if (const Nanos stall = late - (waited - canary_waited_); stall >= kStall) slice_stall_ += stall;
    canary_waited_ = waited;
  }
  if (MonotonicNow() - last_.at >= kSlice) EndSlice();
}

void MachineWatch::EndSlice() {
  const Reading now = Read();
  const Nanos length = now.at - last_.at;
  // What a process had used is lost with it if nobody waits for it, and thread times end with their threads.
  const Nanos ours = std::max<Nanos>(now.ours - last_.ours, 0);
  const Nanos others = std::max<Nanos>(now.all - last_.all - ours, 0);
  const Nanos steal = std::max<Nanos>(now.steal - last_.steal, 0);
  const auto share = static_cast<Nanos>(kDisturbedShare * static_cast<double>(length));
  if (others + steal >= std::max(share, kDisturbedFloor) || slice_stall_ > 0) disturbed_ += length;
  length_ += length;
  others_ += others;
  steal_ += steal;
  waited_ += std::max<Nanos>(now.waited - last_.waited, 0);
  seen_ = {.busy_percent = Percent(disturbed_, length_),
           .others_percent = Percent(others_, length_),
           .steal_percent = Percent(steal_, length_),
           .stall = seen_.stall + slice_stall_,
           .waited_percent = Percent(waited_, length_)};
  slice_stall_ = 0;
  canary_waited_ = WaitOf("/proc/thread-self");
  last_ = now;
}

}  // namespace tidemark
