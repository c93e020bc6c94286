#include "agent/host/machine.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"

namespace tidemark {
namespace {

// Event loops, gRPC, logs, files.
constexpr std::int64_t kOwnDescriptors = 128;

// The folders of this process's control groups of a `controller` ("cpu", "memory"), v2's and v1's, and of their
// parents: each may have a limit. In a container its own groups are at the root, whatever path the kernel gives.
std::vector<std::string> CgroupFolders(const std::string& controller) {
  const std::string v1 = "/sys/fs/cgroup/" + controller;
  std::vector<std::string> folders = {"/sys/fs/cgroup", v1};
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    const bool is_v1 = std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
    if (!is_v1 && parts[0] != "0") continue;
    std::string path = parts[2];
    while (path.size() > 1) {
      folders.push_back((is_v1 ? v1 : "/sys/fs/cgroup") + path);
      path.resize(path.rfind('/'));
    }
  }
  return folders;
}

// CPUs that the lowest quota of the cgroups stands for; 0 if there is none.
double CgroupQuota() {
  double lowest = 0;
  for (const std::string& folder : CgroupFolders("cpu")) {
    std::ifstream v2(folder + "/cpu.max");
    std::ifstream v1_quota(folder + "/cpu.cfs_quota_us");
    std::ifstream v1_period(folder + "/cpu.cfs_period_us");
    double quota = 0;
    double period = 0;
    const bool has_quota = (v2 >> quota >> period) || (v1_quota >> quota && v1_period >> period);
    if (!has_quota || quota <= 0 || period <= 0) continue;
    lowest = lowest == 0 ? quota / period : std::min(lowest, quota / period);
  }
  return lowest;
}

// For how long the cgroup that is held back most by its quota has been.
std::uint64_t ThrottledTime() {
  std::uint64_t longest = 0;
  for (const std::string& folder : CgroupFolders("cpu")) {
    std::ifstream stat(folder + "/cpu.stat");
    std::string name;
    for (std::uint64_t value = 0; stat >> name >> value;) {
      if (name == "throttled_usec") longest = std::max(longest, value * 1'000);
      if (name == "throttled_time") longest = std::max(longest, value);  // v1: in ns
    }
  }
  return longest;
}

// The value under `name` in a pair of lines "TcpExt: NAME NAME ..." and "TcpExt: VALUE VALUE ...".
std::uint64_t NetstatValue(const std::string& names, const std::string& values, const std::string& name) {
  std::istringstream name_words(names);
  std::istringstream value_words(values);
  std::string word;
  std::string value;
  while (name_words >> word && value_words >> value) {
    if (word == name) return std::strtoull(value.c_str(), nullptr, 10);
  }
  return 0;
}

}  // namespace

HostCounters ReadHostCounters() {
  HostCounters out;
  std::ifstream stat("/proc/stat");
  std::string label;
  stat >> label;
  const auto tick_ns = static_cast<std::uint64_t>(kSecond / std::max<long>(sysconf(_SC_CLK_TCK), 1));
  std::uint64_t ticks = 0;
  // user nice system idle iowait irq softirq steal; guest times, which follow, are in user already.
  for (int i = 0; i < 8 && stat >> ticks; ++i) {
    out.cpu_ns += ticks * tick_ns;
    if (i == 7) out.steal_ns = ticks * tick_ns;
  }
  std::ifstream softnet("/proc/net/softnet_stat");
  for (std::string line; std::getline(softnet, line);) {
    std::istringstream words(line);
    std::string processed;
    std::string dropped;
    if (words >> processed >> dropped) out.dropped_packets += std::strtoull(dropped.c_str(), nullptr, 16);
  }
  std::ifstream netstat("/proc/net/netstat");
  for (std::string names, values; std::getline(netstat, names) && std::getline(netstat, values);) {
    out.syn_retransmits += NetstatValue(names, values, "TCPSynRetrans");
    out.accept_overflows += NetstatValue(names, values, "ListenOverflows");
  }
  out.throttled_ns = ThrottledTime();
  return out;
}

int UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const double quota = CgroupQuota();
  if (quota > 0) cores = std::min(cores, static_cast<int>(quota + 0.999));
  return std::max(cores, 1);
}

std::int64_t UsableMemory() {
  std::int64_t bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const std::string& folder : CgroupFolders("memory")) {
    for (const char* file : {"/memory.max", "/memory.limit_in_bytes"}) {
      std::int64_t limit = 0;
      if (std::ifstream(folder + file) >> limit && limit > 0) bytes = std::min(bytes, limit);
    }
  }
  return bytes;
}

void PinToCore(int index) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int left = index % std::max(CPU_COUNT(&allowed), 1);
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || left-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

Nanos ThreadRunDelay() {
  std::ifstream stat("/proc/thread-self/schedstat");
  Nanos running = 0;
  Nanos waiting = 0;
  return stat >> running >> waiting ? waiting : 0;
}

OwnRunDelay::~OwnRunDelay() {
  if (fd_ >= 0) close(fd_);
}

Nanos OwnRunDelay::Read() {
  if (fd_ < 0) fd_ = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  char text[64];
  const ssize_t size = fd_ < 0 ? 0 : pread(fd_, text, sizeof text - 1, 0);
  if (size <= 0) return 0;
  text[size] = '\0';
  const char* const behind = std::strchr(text, ' ');
  return behind == nullptr ? 0 : std::strtoll(behind, nullptr, 10);
}

std::int64_t RaiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, 1'000'000'000));
}

std::int64_t ConnectionLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return std::max<std::int64_t>(
      0, static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, 1'000'000'000)) - kOwnDescriptors);
}

int LoadPercent() {
  double tasks = 0;
  std::ifstream("/proc/loadavg") >> tasks;
  return static_cast<int>(100 * tasks / std::max(1U, std::thread::hardware_concurrency()));
}

std::vector<std::string> LocalAddresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    char text[NI_MAXHOST];
    if (getnameinfo(entry->ifa_addr, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) addresses.push_back(text);
  }
  freeifaddrs(list);
  return addresses;
}

std::int64_t LocalPorts() {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  std::int64_t low = 32768;
  std::int64_t high = 60999;
  range >> low >> high;
  return high - low + 1;
}

}  // namespace tidemark
