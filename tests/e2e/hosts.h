// Network namespaces as hosts: a bridge, and behind each of its ports a host with an address and a clock of its own.
#pragma once

#include <string>
#include <vector>

#include "tests/support/process.h"

namespace tidemark {

// A network of hosts "h1", "h2", ... at 10.77.0.1, 10.77.0.2, ...; this process is 10.77.0.254. It lies in namespaces
// of this process, so that nothing of it is left when the process ends.
class TestNet {
 public:
  static constexpr char kOwnAddress[] = "10.77.0.254";

  // False if the process may not make namespaces.  REQUIRES: no threads yet.
  bool Make(int host_count);

  static std::string Name(int host) { return "h" + std::to_string(host); }
  static std::string Address(int host) { return "10.77.0." + std::to_string(host); }
  // What to put in front of a command to run it on the host, its monotonic clock shifted by so many seconds.
  static std::vector<std::string> On(int host, int clock_shift_s = 0);

  // Takes the host's cable out, or puts it back.
  static void SetLink(int host, bool is_up) { Succeeds("ip link set " + Port(host) + (is_up ? " up" : " down")); }
  // Lets the host lose that share of the packets that reach it; 0: none.
  static void SetLoss(int host, double share);
  static bool HasIptables() { return Succeeds("ip netns exec h1 iptables -L -n"); }

 private:
  static std::string Port(int host) { return "port" + std::to_string(host); }
};

}  // namespace tidemark
