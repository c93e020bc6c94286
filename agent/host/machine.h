// What this machine allows the process: cores, descriptors, local ports.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"

namespace tidemark {

// Cores the process may use: its affinity mask, bounded by the CPU quota of its cgroup (v1 or v2), rounded up.
int UsableCores();

// Bytes of memory that the process may use: the machine's, bounded by the limit of its cgroup (v1 or v2).
std::int64_t UsableMemory();

// Keeps the calling thread on one core of those it may run on, the `index`th, counted round. The kernel refuses only if
// the machine loses that core meanwhile; the thread then stays free.
void PinToCore(int index);

// How long the calling thread has been ready to run without a core so far; 0 where the kernel does not tell
// (/proc/thread-self/schedstat).
Nanos ThreadRunDelay();

// The same again and again, of the thread that first reads it: about a microsecond.
class OwnRunDelay {
 public:
  OwnRunDelay() = default;
  ~OwnRunDelay();
  OwnRunDelay(const OwnRunDelay&) = delete;
  OwnRunDelay& operator=(const OwnRunDelay&) = delete;
  Nanos Read();

 private:
  int fd_ = -1;
};

// What the machine counts of itself since it started; each 0 where the kernel does not tell.
struct HostCounters {
  std::uint64_t cpu_ns = 0;            // of all cores, idle too (/proc/stat)
  std::uint64_t steal_ns = 0;          // taken by the hypervisor
  std::uint64_t dropped_packets = 0;   // for want of room in a core's backlog (/proc/net/softnet_stat)
  std::uint64_t syn_retransmits = 0;   // /proc/net/netstat TcpExt
  std::uint64_t accept_overflows = 0;  // connections refused because a listener's queue was full
  std::uint64_t throttled_ns = 0;      // in which this process's control group had used up its quota (cpu.stat)
};
HostCounters ReadHostCounters();

// Raises the soft limit of descriptors to the hard one; returns it. Once at the start of main.
std::int64_t RaiseDescriptorLimit();

// Connections that fit under the descriptor limit, next to what the process needs itself.
std::int64_t ConnectionLimit();

// Tasks that run or wait to, averaged over a minute, in percent of the machine's cores; 0 where the kernel does not
// tell.
int LoadPercent();

// The addresses of this machine's network interfaces that are up, each once.
std::vector<std::string> LocalAddresses();

// Ephemeral ports per (source address, destination): the size of ip_local_port_range.
std::int64_t LocalPorts();

}  // namespace tidemark
