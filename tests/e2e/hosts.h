// Network namespaces as hosts: a bridge, and behind each of its ports a host with an address and a clock of its own.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <string>
#include <vector>

#include "tests/e2e/process.h"

namespace tidemark {

// A network of hosts "h1", "h2", ... at 10.77.0.1, 10.77.0.2, ...; this process is 10.77.0.254. It lies in namespaces
// of this process, so that nothing of it is left when the process ends.
class TestNet {
 public:
  static constexpr char kOwnAddress[] = "10.77.0.254";

  // False if the process may not make namespaces.  REQUIRES: no threads yet.
  bool Make(int host_count) {
    if (geteuid() != 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return false;
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    std::filesystem::create_directories("/run/netns");
    if (mount("tmpfs", "/run/netns", "tmpfs", 0, nullptr) != 0) return false;
    bool is_made = Run("ip link set lo up") && Run("ip link add br0 type bridge") &&
                   Run(std::string("ip addr add ") + kOwnAddress + "/24 dev br0") && Run("ip link set br0 up");
    for (int i = 1; is_made && i <= host_count; ++i) {
      const std::string host = Name(i);
      const std::string port = Port(i);
      is_made = Run("ip netns add " + host) && Run("ip link add " + port + " type veth peer name eth0 netns " + host) &&
                Run("ip link set " + port + " master br0 up") &&
                Run("ip -n " + host + " addr add " + Address(i) + "/24 dev eth0") &&
                Run("ip -n " + host + " link set eth0 up") && Run("ip -n " + host + " link set lo up");
    }
    return is_made;
  }

  static std::string Name(int host) { return "h" + std::to_string(host); }
  static std::string Address(int host) { return "10.77.0." + std::to_string(host); }
  // What to put in front of a command to run it on the host, its monotonic clock shifted by so many seconds.
  static std::vector<std::string> On(int host, int clock_shift_s = 0) {
    std::vector<std::string> prefix = {"ip", "netns", "exec", Name(host)};
    if (clock_shift_s != 0)
      prefix.insert(prefix.end(),
                    {"unshare", "--time", "--monotonic", std::to_string(clock_shift_s), "--fork", "--kill-child"});
    return prefix;
  }

  // Takes the host's cable out, or puts it back.
  static void SetLink(int host, bool is_up) { Run("ip link set " + Port(host) + (is_up ? " up" : " down")); }
  // Lets the host lose that share of the packets that reach it; 0: none.
  static void SetLoss(int host, double share) {
    Run("ip netns exec " + Name(host) + " iptables -F INPUT");
    if (share > 0) {
      Run("ip netns exec " + Name(host) + " iptables -A INPUT -i eth0 -m statistic --mode random --probability " +
          std::to_string(share) + " -j DROP");
    }
  }
  static bool HasIptables() { return Run("ip netns exec h1 iptables -L -n"); }

 private:
  static std::string Port(int host) { return "port" + std::to_string(host); }
  static bool Run(const std::string& command) {
    std::istringstream words(command);
    std::vector<std::string> arguments;
    for (std::string word; words >> word;) arguments.push_back(word);
    return Process(arguments, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}).Wait() == 0;
  }
};

}  // namespace tidemark
