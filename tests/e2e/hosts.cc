#include "tests/e2e/hosts.h"

#include <sched.h>
#include <sys/mount.h>

namespace tidemark {

bool TestNet::Make(int host_count) {
  if (geteuid() != 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return false;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  std::filesystem::create_directories("/run/netns");
  if (mount("tmpfs", "/run/netns", "tmpfs", 0, nullptr) != 0) return false;
  bool is_made = Succeeds("ip link set lo up") && Succeeds("ip link add br0 type bridge") &&
                 Succeeds(std::string("ip addr add ") + kOwnAddress + "/24 dev br0") && Succeeds("ip link set br0 up");
  for (int i = 1; is_made && i <= host_count; ++i) {
    const std::string host = Name(i);
    const std::string port = Port(i);
    is_made = Succeeds("ip netns add " + host) &&
              Succeeds("ip link add " + port + " type veth peer name eth0 netns " + host) &&
              Succeeds("ip link set " + port + " master br0 up") &&
              Succeeds("ip -n " + host + " addr add " + Address(i) + "/24 dev eth0") &&
              Succeeds("ip -n " + host + " link set eth0 up") && Succeeds("ip -n " + host + " link set lo up");
  }
  return is_made;
}

std::vector<std::string> TestNet::On(int host, int clock_shift_s) {
  std::vector<std::string> prefix = {"ip", "netns", "exec", Name(host)};
  if (clock_shift_s != 0)
    prefix.insert(prefix.end(),
                  {"unshare", "--time", "--monotonic", std::to_string(clock_shift_s), "--fork", "--kill-child"});
  return prefix;
}

void TestNet::SetLoss(int host, double share) {
  Succeeds("ip netns exec " + Name(host) + " iptables -F INPUT");
  if (share > 0) {
    Succeeds("ip netns exec " + Name(host) + " iptables -A INPUT -i eth0 -m statistic --mode random --probability " +
             std::to_string(share) + " -j DROP");
  }
}

}  // namespace tidemark
